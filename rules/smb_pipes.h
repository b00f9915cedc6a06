/*
 * What is open on a connection: tree connections, and pipes with the DCERPC that runs over them.
 *
 * Tables of fixed size: at the limit the oldest tree, and the pipe that was longest not used, make
 * room (SMB_LIMIT_TREES, SMB_LIMIT_PIPES); a tree that is not known any more is as one that was
 * opened before the connection was seen, and writes to it are probed for DCERPC.
 *
 * A struct smb_pipes belongs to its smb_flow.
 */
#ifndef VS_SMB_PIPES_H
#define VS_SMB_PIPES_H

#include <stdbool.h>
#include <stdint.h>

#include "dcerpc.h"
#include "smb_event.h"

#define SMB_TREES 32
#define SMB_PIPES 16

enum smb_tree_kind {
	SMB_TREE_UNKNOWN,
	SMB_TREE_DISK, /* or printer */
	SMB_TREE_PIPE,
};

struct smb_pipe {
	uint64_t file;
	uint32_t used; /* clock when it was */
	bool open;
	struct dcerpc dce;
};

struct smb_pipes {
	struct {
		uint64_t id;
		uint8_t kind;
	} tree[SMB_TREES];
	uint8_t n_trees;
	uint8_t next_tree; /* to make room */
	uint32_t clock;
	struct smb_pipe pipe[SMB_PIPES];
};

/* The data of a write or read on a pipe within a record, fed to its DCERPC as it comes. */
struct smb_stream {
	uint32_t from, to; /* offsets: what is still to be fed */
	uint64_t file;
	uint8_t pipe;
};

void smb_pipes_init(struct smb_pipes *p);

/* id: the same number for the same tree of this connection. */
void smb_trees_set(
	struct smb_pipes *p, const struct smb_sink *sink, uint64_t id, bool pipe, uint32_t offset);
enum smb_tree_kind smb_trees_kind(const struct smb_pipes *p, uint64_t id);
void smb_trees_remove(struct smb_pipes *p, uint64_t id);

/*
 * len bytes of pipe data at offset of the record belong to file. False where the record's earlier
 * pipe data is not through yet: two writes whose data overlap.
 */
bool smb_pipes_data(struct smb_pipes *p, const struct smb_sink *sink, struct smb_stream *s,
	uint64_t file, uint32_t offset, uint32_t len);

/* Feeds what of the len bytes at offset lies before limit (offset in the record). */
void smb_pipes_feed(struct smb_pipes *p, const struct smb_sink *sink, struct smb_stream *s,
	const uint8_t *bytes, uint32_t len, uint32_t offset, uint32_t limit);

void smb_pipes_close(struct smb_pipes *p, uint64_t file);

#endif
