#include "smb_pipes.h"

#include <string.h>

void smb_pipes_init(struct smb_pipes *p)
{
	memset(p, 0, sizeof(*p));
}

static int find_tree(const struct smb_pipes *p, uint64_t id)
{
	for (int i = 0; i < p->n_trees; i++)
		if (p->tree[i].id == id)
			return i;
	return -1;
}

void smb_trees_set(
	struct smb_pipes *p, const struct smb_sink *sink, uint64_t id, bool pipe, uint32_t offset)
{
	int i = find_tree(p, id);

	if (i < 0 && p->n_trees < SMB_TREES) {
		i = p->n_trees++;
	} else if (i < 0) {
		i = p->next_tree;
		p->next_tree = (uint8_t)((p->next_tree + 1) % SMB_TREES);
		smb_limited(sink, SMB_LIMIT_TREES, offset);
	}
	p->tree[i].id = id;
	p->tree[i].kind = pipe ? SMB_TREE_PIPE : SMB_TREE_DISK;
}

enum smb_tree_kind smb_trees_kind(const struct smb_pipes *p, uint64_t id)
{
	int i = find_tree(p, id);

	return i < 0 ? SMB_TREE_UNKNOWN : p->tree[i].kind;
}

void smb_trees_remove(struct smb_pipes *p, uint64_t id)
{
	int i = find_tree(p, id);

	if (i >= 0)
		p->tree[i] = p->tree[--p->n_trees];
	p->next_tree = 0;
}

static int find_pipe(const struct smb_pipes *p, uint64_t file)
{
	for (int i = 0; i < SMB_PIPES; i++)
		if (p->pipe[i].open && p->pipe[i].file == file)
			return i;
	return -1;
}

static int open_pipe(
	struct smb_pipes *p, const struct smb_sink *sink, uint64_t file, uint32_t offset)
{
	int oldest = 0;

	for (int i = 0; i < SMB_PIPES && p->pipe[oldest].open; i++)
		if (!p->pipe[i].open || p->pipe[i].used < p->pipe[oldest].used)
			oldest = i;
	if (p->pipe[oldest].open && p->pipe[oldest].dce.recognised)
		smb_limited(sink, SMB_LIMIT_PIPES, offset);
	p->pipe[oldest].open = true;
	p->pipe[oldest].file = file;
	dcerpc_init(&p->pipe[oldest].dce);
	return oldest;
}

bool smb_pipes_data(struct smb_pipes *p, const struct smb_sink *sink, struct smb_stream *s,
	uint64_t file, uint32_t offset, uint32_t len)
{
	int i = find_pipe(p, file);

	if (s->from < s->to)
		return false;
	if (i < 0)
		i = open_pipe(p, sink, file, offset);
	p->pipe[i].used = ++p->clock;
	s->pipe = (uint8_t)i;
	s->file = file;
	s->from = offset;
	s->to = offset + len;
	return true;
}

void smb_pipes_feed(struct smb_pipes *p, const struct smb_sink *sink, struct smb_stream *s,
	const uint8_t *bytes, uint32_t len, uint32_t offset, uint32_t limit)
{
	struct smb_pipe *pipe = &p->pipe[s->pipe];
	uint32_t end = offset + len;

	if (end > s->to)
		end = s->to;
	if (end > limit)
		end = limit;
	if (s->from >= end)
		return;
	if (pipe->open && pipe->file == s->file)
		dcerpc_feed(&pipe->dce, sink, bytes + (s->from - offset), end - s->from, s->from);
	s->from = end;
}

void smb_pipes_close(struct smb_pipes *p, uint64_t file)
{
	int i = find_pipe(p, file);

	if (i >= 0)
		p->pipe[i].open = false;
}
