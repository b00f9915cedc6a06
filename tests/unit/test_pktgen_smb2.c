/*
 * vswitch-pktgen's SMB2 conversations, held to the switch's own parser: nothing is found in them,
 * however they are cut, and every byte of file data is where it should be.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "pktgen_smb2.h"
#include "smb_flow.h"

#define OPERATIONS 40
#define MESSAGES   (PKTGEN_SMB2_SETUP + OPERATIONS)
#define SERVER     0x0a000002u

static const char marker[] = "PKTGEN-HARMLESS-MARKER";

struct seen {
	uint64_t read, written, next;
	unsigned messages, trees, creates, limited, begun;
	uint32_t host;
};

static void note(void *arg, const struct smb_event *e)
{
	struct seen *seen = arg;

	switch (e->type) {
	case SMB_DETECTED:
		fail_msg("found %s in it", smb_invariant(e->detection.what)->text);
		break;
	case SMB_FILE_DATA:
		assert_true(e->file.has_position && e->file.position == seen->next);
		seen->next += e->file.len;
		*(e->file.read ? &seen->read : &seen->written) += e->file.len;
		break;
	case SMB_TREE_CONNECT:
		seen->host = e->name.host;
		seen->trees++;
		break;
	default:
		seen->messages += e->type == SMB_MESSAGE;
		seen->creates += e->type == SMB_CREATE;
		seen->limited += e->type == SMB_LIMITED;
		seen->begun += e->type == SMB_RECORD_BEGIN;
		break;
	}
}

/* All of a conversation, each message in pieces of random length, cut at most. */
static void converse(const struct pktgen_smb2 *smb2, uint32_t cut, struct seen *seen)
{
	struct smb_flow *flow = malloc(sizeof(*flow));
	struct pktgen_smb2_at at[2] = {{0, 0}, {0, 0}};

	memset(seen, 0, sizeof(*seen));
	smb_flow_init(flow, 0);
	for (uint64_t message = 0; message < MESSAGES; message++)
		for (unsigned side = 0; side < 2; side++)
			while (at[side].message == message) {
				uint32_t len = 1 + (uint32_t)rand() % cut;
				uint8_t *bytes = malloc(len);

				len = pktgen_smb2_bytes(smb2, side, &at[side], message + 1,
					MESSAGES - 1, bytes, len);
				assert_true(len > 0);
				assert_int_equal(smb_flow_feed(flow, side, bytes, len, note, seen),
					SMB_FLOW_OK);
				free(bytes);
			}
	free(flow);
}

static void check(enum pktgen_smb what, uint32_t block, bool zeros)
{
	static const uint32_t cuts[] = {7, 1448, 100000};
	struct pktgen_smb2 *smb2 = malloc(sizeof(*smb2));
	uint64_t reads = what == PKTGEN_SMB_READ   ? OPERATIONS
			 : what == PKTGEN_SMB_BOTH ? OPERATIONS / 2
						   : 0;
	struct seen seen;

	assert_true(pktgen_smb2_init(smb2, what, block, zeros, marker, SERVER));
	for (unsigned i = 0; i < 3; i++) {
		converse(smb2, cuts[i], &seen);
		assert_int_equal(seen.messages, 2 * MESSAGES);
		assert_int_equal(seen.begun, 2 * MESSAGES);
		assert_int_equal(seen.trees, 1);
		assert_int_equal(seen.creates, 1);
		assert_int_equal(seen.limited, 0);
		assert_int_equal(seen.host, SERVER);
		assert_int_equal(seen.read, reads * block);
		assert_int_equal(seen.written, (OPERATIONS - reads) * block);
	}
	pktgen_smb2_free(smb2);
	free(smb2);
}

static void nothing_is_found_in_reads_and_writes(void **state)
{
	srand(5);
	check(PKTGEN_SMB_WRITE, 65536, false);
	check(PKTGEN_SMB_READ, 65536, false);
	check(PKTGEN_SMB_BOTH, 65536, true);
	check(PKTGEN_SMB_BOTH, 64, false);
	check(PKTGEN_SMB_WRITE, 1 << 20, true);
}

/* Any piece of it is the same as in the whole. */
static void any_part_can_be_made_at_any_time(void **state)
{
	static uint8_t whole[2 << 20], part[100000];
	struct pktgen_smb2 *smb2 = malloc(sizeof(*smb2));

	assert_true(pktgen_smb2_init(smb2, PKTGEN_SMB_BOTH, 65536, false, marker, SERVER));
	for (unsigned side = 0; side < 2; side++) {
		struct pktgen_smb2_at at = {0, 0};
		uint32_t len = pktgen_smb2_bytes(
			smb2, side, &at, UINT64_MAX, UINT64_MAX, whole, sizeof(whole));

		assert_int_equal(len, sizeof(whole));
		for (unsigned i = 0; i < 500; i++) {
			uint32_t from = (uint32_t)rand() % (sizeof(whole) - sizeof(part));
			uint32_t n = 1 + (uint32_t)rand() % sizeof(part);

			at = (struct pktgen_smb2_at){0, 0};
			pktgen_smb2_skip(smb2, side, &at, from);
			assert_int_equal(
				pktgen_smb2_bytes(smb2, side, &at, UINT64_MAX, UINT64_MAX, part, n),
				n);
			assert_memory_equal(part, whole + from, n);
		}
	}
	pktgen_smb2_free(smb2);
	free(smb2);
}

static void the_marker_ends_the_last_block_and_no_other(void **state)
{
	struct pktgen_smb2 *smb2 = malloc(sizeof(*smb2));
	uint32_t len = PKTGEN_SMB2_HEAD + 4096;
	uint8_t *bytes = malloc(len);

	assert_true(pktgen_smb2_init(smb2, PKTGEN_SMB_WRITE, 4096, true, marker, SERVER));
	for (uint64_t message = 8; message < 11; message++) {
		struct pktgen_smb2_at at = {message, 0};
		const uint8_t *found;

		/* In two pieces, the second of which begins within the marker. */
		pktgen_smb2_bytes(smb2, 0, &at, message + 1, 9, bytes, len - 5);
		pktgen_smb2_bytes(smb2, 0, &at, message + 1, 9, bytes + len - 5, 5);
		found = memmem(bytes, len, marker, strlen(marker));
		assert_ptr_equal(found, message == 9 ? bytes + len - strlen(marker) : NULL);
	}
	pktgen_smb2_free(smb2);
	free(smb2);
	free(bytes);
}

static void nothing_is_sent_of_a_message_behind_the_end(void **state)
{
	static uint8_t bytes[10000];
	struct pktgen_smb2 *smb2 = malloc(sizeof(*smb2));
	struct pktgen_smb2_at at = {0, 0};

	assert_true(pktgen_smb2_init(smb2, PKTGEN_SMB_WRITE, 65536, true, NULL, SERVER));
	assert_int_equal(pktgen_smb2_bytes(smb2, 0, &at, 2, UINT64_MAX, bytes, sizeof(bytes)),
		pktgen_smb2_len(smb2, 0, 0) + pktgen_smb2_len(smb2, 0, 1));
	assert_true(at.message == 2 && at.offset == 0);
	assert_int_equal(pktgen_smb2_bytes(smb2, 0, &at, 2, UINT64_MAX, bytes, sizeof(bytes)), 0);
	assert_int_equal(pktgen_smb2_data(smb2, 4), 0);
	assert_int_equal(pktgen_smb2_data(smb2, 5), 65536);
	pktgen_smb2_free(smb2);
	free(smb2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_is_found_in_reads_and_writes),
		cmocka_unit_test(any_part_can_be_made_at_any_time),
		cmocka_unit_test(the_marker_ends_the_last_block_and_no_other),
		cmocka_unit_test(nothing_is_sent_of_a_message_behind_the_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
