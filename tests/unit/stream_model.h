/*
 * A receiver, as simple as can be: it takes what is in its window, byte by byte, and gives its
 * application what has no gap before it. Beside it, which bytes the handler of reassembly was
 * given. What the application gets must have been given before. For tests of any framework: tells,
 * and does not assert.
 */
#ifndef VS_STREAM_MODEL_H
#define VS_STREAM_MODEL_H

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define MODEL_HAS   1
#define MODEL_KNOWN 2 /* it came before reassembly began: nobody was given it */
#define MODEL_GIVEN 4

struct model {
	uint32_t size; /* of the stream, in bytes, which are numbered from 0 */
	uint32_t window;
	bool last_wins; /* of two copies that are both ahead of a gap */
	uint8_t *value, *flags; /* of each byte */
	uint8_t *given; /* what the handler got for it */
	uint32_t next; /* the application has what is before */
	uint32_t position; /* of the handler */
	bool known; /* position is */
};

static inline bool model_init(struct model *m, uint32_t size, uint32_t window, bool last_wins)
{
	*m = (struct model){.size = size, .window = window, .last_wins = last_wins};
	m->value = calloc(3, size);
	if (m->value == NULL)
		return false;
	m->flags = m->value + size;
	m->given = m->flags + size;
	return true;
}

static inline void model_free(struct model *m)
{
	free(m->value);
}

/* Where the handler begins, said with each call. */
static inline void model_place(struct model *m, uint32_t start)
{
	if (!m->known)
		m->position = start;
	m->known = true;
}

/* The handler got these. False: beyond the stream's end. */
static inline bool model_given(struct model *m, const uint8_t *bytes, uint32_t len)
{
	if (!m->known || m->position > m->size || len > m->size - m->position)
		return false;
	memcpy(m->given + m->position, bytes, len);
	for (uint32_t i = 0; i < len; i++)
		m->flags[m->position + i] |= MODEL_GIVEN;
	m->position += len;
	return true;
}

/* A segment with bytes from number `at` on arrives. False: the application gets what was not given.
 */
static inline bool model_receive(struct model *m, int64_t at, const uint8_t *bytes, uint32_t len)
{
	const int64_t end = (int64_t)m->next + m->window;

	for (uint32_t i = 0; i < len; i++) {
		int64_t to = at + i;

		if (to < m->next || to >= end || to >= m->size)
			continue;
		if (m->flags[to] & MODEL_HAS && (!m->last_wins || m->flags[to] & MODEL_KNOWN))
			continue;
		m->value[to] = bytes[i];
		m->flags[to] |= MODEL_HAS;
	}
	for (; m->next < m->size && m->flags[m->next] & MODEL_HAS; m->next++)
		if (!(m->flags[m->next] & MODEL_KNOWN) &&
			(!(m->flags[m->next] & MODEL_GIVEN) ||
				m->given[m->next] != m->value[m->next]))
			return false;
	return true;
}

/* Reassembly begins only now. */
static inline void model_pick_up(struct model *m)
{
	for (uint32_t i = 0; i < m->size; i++)
		if (m->flags[i] & MODEL_HAS)
			m->flags[i] |= MODEL_KNOWN;
}

#endif
