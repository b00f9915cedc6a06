#include "bit_pages.h"

#include <stdlib.h>
#include <string.h>

#define PROBES_MAX 32
#define ROOM_MIN   16

/* Items of one size, equal ones stored once. */
struct store {
	size_t stride; /* bytes of an item */
	unsigned char *items;
	uint32_t n, room;
	uint64_t *slots; /* hash in the upper half, item and 1 in the lower; 0: free */
	uint32_t mask; /* slots but one; a power of two but one */
};

struct bit_pages {
	unsigned row_pages;
	struct store pages, rows;
	/* The row under construction: its bits, the pages that they were when last stored, and
	 * which have changed since. */
	struct bit_page *bits;
	uint32_t *ids;
	uint64_t row_hash;
	unsigned *changed;
	bool *is_changed;
	unsigned n_changed;
};

static uint64_t mix(uint64_t h, uint64_t word)
{
	h = (h ^ word) * UINT64_C(0x9e3779b97f4a7c15);
	return h ^ h >> 32;
}

static uint64_t page_hash(const struct bit_page *page)
{
	uint64_t h = 0;

	for (unsigned i = 0; i < BIT_PAGE_WORDS; i++)
		h = mix(h, page->words[i]);
	return h;
}

/* Of one page in a row: their sum is the row's hash, so that it changes with one page. */
static uint64_t place_hash(unsigned place, uint32_t id)
{
	return id == 0 ? 0 : mix(mix(1, place), id);
}

static bool page_is_empty(const struct bit_page *page)
{
	uint64_t any = 0;

	for (unsigned i = 0; i < BIT_PAGE_WORDS; i++)
		any |= page->words[i];
	return any == 0;
}

static void *lines(size_t bytes)
{
	return aligned_alloc(64, (bytes + 63) & ~(size_t)63);
}

static bool store_resize(struct store *s, uint32_t room)
{
	unsigned char *items = lines(room * s->stride);

	if (items == NULL)
		return false;
	if (s->n > 0)
		memcpy(items, s->items, s->n * s->stride);
	free(s->items);
	s->items = items;
	s->room = room;
	return true;
}

static void store_enter(struct store *s, uint64_t slot)
{
	uint32_t at = (uint32_t)(slot >> 32);

	for (unsigned i = 0; i < PROBES_MAX; i++, at++) {
		if (s->slots[at & s->mask] == 0) {
			s->slots[at & s->mask] = slot;
			return;
		}
	}
}

/* Twice the room, and at least two slots an item. */
static bool store_grow(struct store *s)
{
	uint32_t room = s->room > 0 ? 2 * s->room : ROOM_MIN, n_old = s->room > 0 ? s->mask + 1 : 0;
	uint64_t *old = s->slots, *slots;

	if (room * s->stride > BIT_PAGES_BYTES_MAX)
		room = (uint32_t)(BIT_PAGES_BYTES_MAX / s->stride);
	if (room <= s->n)
		return false;
	slots = calloc((size_t)4 * room, sizeof(*slots));
	if (slots == NULL)
		return false;
	if (!store_resize(s, room)) {
		free(slots);
		return false;
	}
	s->slots = slots;
	s->mask = 1;
	while (s->mask < 2 * room)
		s->mask = 2 * s->mask + 1;
	for (uint32_t i = 0; i < n_old; i++) {
		if (old[i] != 0)
			store_enter(s, old[i]);
	}
	free(old);
	return true;
}

static uint32_t store_intern(struct store *s, const void *item, uint64_t hash)
{
	uint64_t tag = (hash ^ hash >> 32) << 32, slot;
	uint32_t at = (uint32_t)(tag >> 32);

	for (unsigned i = 0; s->n > 0 && i < PROBES_MAX; i++, at++) {
		slot = s->slots[at & s->mask];
		if (slot == 0)
			break;
		if (slot >> 32 == tag >> 32) {
			uint32_t id = (uint32_t)slot - 1;

			if (memcmp(s->items + id * s->stride, item, s->stride) == 0)
				return id;
		}
	}
	if (s->n == s->room && !store_grow(s))
		return BIT_PAGES_NONE;
	memcpy(s->items + s->n * s->stride, item, s->stride);
	store_enter(s, tag | (s->n + 1));
	return s->n++;
}

static void store_seal(struct store *s)
{
	free(s->slots);
	s->slots = NULL;
	/* Without memory for a smaller copy the larger one stays. */
	if (s->n > 0 && s->n < s->room)
		store_resize(s, s->n);
}

struct bit_pages *bit_pages_create(unsigned bits)
{
	struct bit_pages *p = calloc(1, sizeof(*p));
	static const struct bit_page empty;

	if (p == NULL)
		return NULL;
	p->row_pages = bits > 0 ? (bits - 1) / BIT_PAGE_BITS + 1 : 1;
	p->pages.stride = sizeof(struct bit_page);
	p->rows.stride = p->row_pages * sizeof(*p->ids);
	p->bits = lines(p->row_pages * sizeof(*p->bits));
	p->ids = calloc(p->row_pages, sizeof(*p->ids));
	p->changed = calloc(p->row_pages, sizeof(*p->changed));
	p->is_changed = calloc(p->row_pages, sizeof(*p->is_changed));
	if (p->bits == NULL || p->ids == NULL || p->changed == NULL || p->is_changed == NULL ||
		store_intern(&p->pages, &empty, page_hash(&empty)) != 0) {
		bit_pages_free(p);
		return NULL;
	}
	memset(p->bits, 0, p->row_pages * sizeof(*p->bits));
	return p;
}

static void free_building(struct bit_pages *p)
{
	free(p->bits);
	free(p->ids);
	free(p->changed);
	free(p->is_changed);
	p->bits = NULL;
	p->ids = NULL;
	p->changed = NULL;
	p->is_changed = NULL;
}

void bit_pages_free(struct bit_pages *p)
{
	if (p == NULL)
		return;
	free_building(p);
	free(p->pages.items);
	free(p->pages.slots);
	free(p->rows.items);
	free(p->rows.slots);
	free(p);
}

static void note_change(struct bit_pages *p, unsigned page)
{
	if (p->is_changed[page])
		return;
	p->is_changed[page] = true;
	p->changed[p->n_changed++] = page;
}

void bit_pages_set(struct bit_pages *p, unsigned bit, bool value)
{
	uint64_t *word = &p->bits[bit / BIT_PAGE_BITS].words[bit % BIT_PAGE_BITS / 64];
	uint64_t mask = UINT64_C(1) << bit % 64;

	*word = value ? *word | mask : *word & ~mask;
	note_change(p, bit / BIT_PAGE_BITS);
}

void bit_pages_clear(struct bit_pages *p)
{
	memset(p->bits, 0, p->row_pages * sizeof(*p->bits));
	for (unsigned i = 0; i < p->row_pages; i++)
		note_change(p, i);
}

uint32_t bit_pages_intern_page(struct bit_pages *p, const struct bit_page *page)
{
	/* Page 0 by look, not by hash: it must be found. */
	if (page_is_empty(page))
		return 0;
	return store_intern(&p->pages, page, page_hash(page));
}

uint32_t bit_pages_intern(struct bit_pages *p)
{
	while (p->n_changed > 0) {
		unsigned place = p->changed[p->n_changed - 1];
		uint32_t id = bit_pages_intern_page(p, &p->bits[place]);

		if (id == BIT_PAGES_NONE)
			return BIT_PAGES_NONE;
		p->row_hash += place_hash(place, id) - place_hash(place, p->ids[place]);
		p->ids[place] = id;
		p->is_changed[place] = false;
		p->n_changed--;
	}
	return store_intern(&p->rows, p->ids, p->row_hash);
}

void bit_pages_seal(struct bit_pages *p)
{
	free_building(p);
	store_seal(&p->pages);
	store_seal(&p->rows);
}

unsigned bit_pages_row_pages(const struct bit_pages *p)
{
	return p->row_pages;
}

const uint32_t *bit_pages_rows(const struct bit_pages *p)
{
	return (const uint32_t *)(const void *)p->rows.items;
}

const struct bit_page *bit_pages_pages(const struct bit_pages *p)
{
	return (const struct bit_page *)(const void *)p->pages.items;
}

unsigned bit_pages_row_count(const struct bit_pages *p)
{
	return p->rows.n;
}

size_t bit_pages_size(const struct bit_pages *p)
{
	return sizeof(*p) + p->pages.room * p->pages.stride + p->rows.room * p->rows.stride;
}
