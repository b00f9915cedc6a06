#include "conn_table.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <rte_branch_prediction.h>
#include <rte_prefetch.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

#define SLOTS 8
/* A key goes to its second bucket rather than be the seventh in its first. */
#define FIRST_FILL 6
/* When the table is full, between 3 and 6 of a bucket's 8 slots are taken. */
#define CAPACITY_PER_BUCKET 6

struct bucket {
	uint16_t signature[SLOTS]; /* 0: the slot is free */
	uint32_t index[SLOTS];
	uint32_t away; /* keys whose first bucket this is, in their second */
	uint32_t spare[3];
} __attribute__((aligned(64)));

_Static_assert(sizeof(struct bucket) == 64, "one cache line");

struct conn_table {
	struct bucket *buckets;
	struct conn *conns;
	struct conn_detail *details;
	uint32_t mask; /* of a bucket's number */
	uint32_t capacity;
	uint32_t free; /* first free entry; the others follow by wheel_next */
	uint32_t used;
	uint64_t refused;
	size_t bytes;
};

/* The low bits name the first bucket, the high ones make the signature. */
static inline uint16_t signature_of(uint32_t hash)
{
	uint16_t s = (uint16_t)(hash >> 16);

	return s == 0 ? 1 : s;
}

/* Either bucket's number from the other's; never the same one. */
static inline uint32_t other_bucket(const struct conn_table *table, uint32_t n, uint16_t signature)
{
	return (n ^ (signature * 0x5bd1e995u | 1)) & table->mask;
}

/* A bit for each slot that has the signature. */
static inline unsigned match(const struct bucket *b, uint16_t signature)
{
#ifdef __SSE2__
	__m128i s = _mm_load_si128((const __m128i *)(const void *)b->signature);
	__m128i equal = _mm_cmpeq_epi16(s, _mm_set1_epi16((short)signature));

	return (unsigned)_mm_movemask_epi8(_mm_packs_epi16(equal, _mm_setzero_si128()));
#else
	unsigned bits = 0;

	for (unsigned i = 0; i < SLOTS; i++)
		bits |= (unsigned)(b->signature[i] == signature) << i;
	return bits;
#endif
}

static inline bool key_equal(const struct conn_key *a, const struct conn_key *b)
{
	/* Word by word, as a key lies aligned in its struct: through arrays of its own the compiler
	 * takes a detour by the stack. */
	const uint64_t *x = (const uint64_t *)a, *y = (const uint64_t *)b;

	return ((x[0] ^ y[0]) | (x[1] ^ y[1]) | (x[2] ^ y[2]) | (x[3] ^ y[3]) | (x[4] ^ y[4])) == 0;
}

static inline bool l2_equal(const uint8_t *a, const uint8_t *b)
{
	uint64_t x, y;
	uint32_t u, v;

	memcpy(&x, a, sizeof(x));
	memcpy(&y, b, sizeof(y));
	memcpy(&u, a + 8, sizeof(u));
	memcpy(&v, b + 8, sizeof(v));
	return ((x ^ y) | (u ^ v)) == 0;
}

static const char *const state_names[CONN_STATES] = {
	[CONN_TCP_SYN] = "syn",
	[CONN_TCP_SYN_ACK] = "syn-ack",
	[CONN_TCP_ESTABLISHED] = "established",
	[CONN_TCP_FIN] = "fin",
	[CONN_TCP_CLOSING] = "closing",
	[CONN_TCP_CLOSED] = "closed",
	[CONN_UDP_FIRST] = "first",
	[CONN_UDP_SINGLE] = "single",
	[CONN_UDP_MULTIPLE] = "multiple",
	[CONN_ICMP_FIRST] = "first",
	[CONN_ICMP_REPLIED] = "replied",
	[CONN_OTHER_FIRST] = "first",
	[CONN_OTHER_SINGLE] = "single",
	[CONN_OTHER_MULTIPLE] = "multiple",
};

const char *conn_state_name(enum conn_state state)
{
	return state_names[state];
}

struct conn_table *conn_table_create(uint32_t capacity)
{
	struct conn_table *table;
	uint32_t n = 2;
	char *memory;

	if (capacity == 0 || capacity > CONN_CAPACITY_MAX)
		return NULL;
	table = calloc(1, sizeof(*table));
	if (table == NULL)
		return NULL;
	while ((uint64_t)n * CAPACITY_PER_BUCKET < capacity)
		n *= 2;
	table->capacity = capacity;
	table->mask = n - 1;
	table->bytes = n * sizeof(struct bucket) +
		       capacity * (sizeof(struct conn) + sizeof(struct conn_detail));
	memory = mmap(
		NULL, table->bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (memory == MAP_FAILED) {
		free(table);
		return NULL;
	}
	/* Where the kernel has none, small pages do. */
	madvise(memory, table->bytes, MADV_HUGEPAGE);
	memset(memory, 0, table->bytes);
	table->buckets = (struct bucket *)(void *)memory;
	table->conns = (struct conn *)(void *)(table->buckets + n);
	table->details = (struct conn_detail *)(void *)(table->conns + capacity);
	for (uint32_t i = 0; i < capacity; i++)
		table->conns[i].wheel_next = i + 1 < capacity ? i + 1 : CONN_NONE_INDEX;
	return table;
}

void conn_table_free(struct conn_table *table)
{
	if (table == NULL)
		return;
	munmap(table->buckets, table->bytes);
	free(table);
}

uint32_t conn_table_capacity(const struct conn_table *table)
{
	return table->capacity;
}

uint32_t conn_table_used(const struct conn_table *table)
{
	return __atomic_load_n(&table->used, __ATOMIC_RELAXED);
}

uint64_t conn_table_refused(const struct conn_table *table)
{
	return __atomic_load_n(&table->refused, __ATOMIC_RELAXED);
}

size_t conn_table_bytes(const struct conn_table *table)
{
	return table->bytes + sizeof(*table);
}

void conn_table_prefetch(const struct conn_table *table, const uint32_t *hashes, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		rte_prefetch0(&table->buckets[hashes[i] & table->mask]);
}

static inline void prefetch_matches(
	const struct conn_table *table, const struct bucket *b, uint16_t signature)
{
	for (unsigned bits = match(b, signature); bits != 0; bits &= bits - 1) {
		const struct conn *conn = &table->conns[b->index[__builtin_ctz(bits)]];

		rte_prefetch0(conn);
		rte_prefetch0((const char *)conn + 64);
	}
}

void conn_table_prefetch_entries(const struct conn_table *table, const uint32_t *hashes, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		uint16_t signature = signature_of(hashes[i]);
		uint32_t at = hashes[i] & table->mask;

		prefetch_matches(table, &table->buckets[at], signature);
		if (unlikely(table->buckets[at].away != 0))
			prefetch_matches(table, &table->buckets[other_bucket(table, at, signature)],
				signature);
	}
}

/* Goes over the entries in a key's buckets that have its signature and its key. */
struct walk {
	const struct conn_table *table;
	const struct conn_key *key;
	const struct bucket *bucket; /* at hand */
	unsigned bits; /* slots of it that are left */
	uint32_t second; /* bucket to look at then, or CONN_NONE_INDEX */
	uint16_t signature;
};

static inline void walk_start(
	struct walk *walk, const struct conn_table *table, const struct conn_view *view)
{
	uint32_t n = view->hash & table->mask;

	walk->table = table;
	walk->key = &view->key;
	walk->signature = signature_of(view->hash);
	walk->bucket = &table->buckets[n];
	walk->bits = match(walk->bucket, walk->signature);
	walk->second = unlikely(walk->bucket->away != 0) ? other_bucket(table, n, walk->signature)
							 : CONN_NONE_INDEX;
}

static inline struct conn *walk_next(struct walk *walk)
{
	for (;;) {
		while (walk->bits != 0) {
			unsigned slot = (unsigned)__builtin_ctz(walk->bits);
			struct conn *conn = &walk->table->conns[walk->bucket->index[slot]];

			walk->bits &= walk->bits - 1;
			if (likely(key_equal(&conn->key, walk->key)))
				return conn;
		}
		if (walk->second == CONN_NONE_INDEX)
			return NULL;
		walk->bucket = &walk->table->buckets[walk->second];
		walk->bits = match(walk->bucket, walk->signature);
		walk->second = CONN_NONE_INDEX;
	}
}

enum fit { FIT_NOT, FIT_PORT, FIT_BOUND };

static inline enum fit fit(
	const struct conn *conn, unsigned sender, uint16_t port, const uint8_t *l2)
{
	if (likely(conn->flags & CONN_BOUND_0 << sender))
		return l2_equal(conn->l2[sender], l2) ? FIT_BOUND : FIT_NOT;
	return conn->port[sender] == port ? FIT_PORT : FIT_NOT;
}

static __rte_noinline struct conn *find_any(
	struct conn_table *table, const struct conn_view *view, uint16_t port, const uint8_t *l2)
{
	struct conn *conn, *perhaps = NULL;
	struct walk walk;

	walk_start(&walk, table, view);
	while ((conn = walk_next(&walk)) != NULL) {
		enum fit f = fit(conn, view->sender, port, l2);

		if (likely(f == FIT_BOUND))
			return conn;
		if (f == FIT_PORT && perhaps == NULL)
			perhaps = conn;
	}
	return perhaps;
}

struct conn *conn_table_find(
	struct conn_table *table, const struct conn_view *view, uint16_t port, const uint8_t *l2)
{
	const struct bucket *b = &table->buckets[view->hash & table->mask];
	unsigned bits = match(b, signature_of(view->hash));

	/* Nearly always the first that has the signature is the one. */
	if (likely(bits != 0)) {
		struct conn *conn = &table->conns[b->index[__builtin_ctz(bits)]];

		if (likely(key_equal(&conn->key, &view->key) &&
			    conn->flags & CONN_BOUND_0 << view->sender &&
			    l2_equal(conn->l2[view->sender], l2)))
			return conn;
	}
	return find_any(table, view, port, l2);
}

struct conn *conn_table_find_at(
	struct conn_table *table, const struct conn_view *view, unsigned side, uint16_t port)
{
	struct conn *conn;
	struct walk walk;

	walk_start(&walk, table, view);
	while ((conn = walk_next(&walk)) != NULL)
		if (conn->port[side] == port)
			return conn;
	return NULL;
}

bool conn_table_is_end(struct conn_table *table, const struct conn_view *view, uint16_t port)
{
	struct conn *conn;
	struct walk walk;

	walk_start(&walk, table, view);
	while ((conn = walk_next(&walk)) != NULL)
		if (conn->port[0] == port || conn->port[1] == port)
			return true;
	return false;
}

static unsigned count_legs(const struct conn_table *table, const struct conn_view *view)
{
	struct walk walk;
	unsigned n = 0;

	walk_start(&walk, table, view);
	while (walk_next(&walk) != NULL)
		n++;
	return n;
}

static inline unsigned fill(const struct bucket *b)
{
	return SLOTS - (unsigned)__builtin_popcount(match(b, 0));
}

static inline void put(struct bucket *b, uint16_t signature, uint32_t index)
{
	unsigned slot = (unsigned)__builtin_ctz(match(b, 0));

	__atomic_store_n(&b->index[slot], index, __ATOMIC_RELAXED);
	__atomic_store_n(&b->signature[slot], signature, __ATOMIC_RELEASE);
}

static inline void count_away(struct bucket *first, uint32_t n)
{
	__atomic_store_n(&first->away, first->away + n, __ATOMIC_RELAXED);
}

/* Moves one of full bucket n's entries to its other one; false where all of those are full. */
static bool make_room(struct conn_table *table, uint32_t n)
{
	struct bucket *b = &table->buckets[n];

	for (unsigned i = 0; i < SLOTS; i++) {
		struct bucket *to = &table->buckets[other_bucket(table, n, b->signature[i])];
		uint32_t hash;

		if (fill(to) == SLOTS)
			continue;
		hash = conn_key_hash(&table->conns[b->index[i]].key);
		put(to, b->signature[i], b->index[i]);
		if ((hash & table->mask) == n)
			count_away(b, 1);
		else
			count_away(to, UINT32_MAX);
		__atomic_store_n(&b->signature[i], 0, __ATOMIC_RELAXED);
		return true;
	}
	return false;
}

/* Where a key of this hash is to go. NULL: no room in either, nor to be made. */
static struct bucket *choose(struct conn_table *table, uint32_t hash)
{
	uint32_t n = hash & table->mask, other;
	struct bucket *first = &table->buckets[n], *second;
	unsigned first_fill = fill(first), second_fill;

	if (first_fill < FIRST_FILL)
		return first;
	other = other_bucket(table, n, signature_of(hash));
	second = &table->buckets[other];
	second_fill = fill(second);
	if (first_fill <= second_fill && (first_fill < SLOTS || make_room(table, n)))
		return first;
	if (second_fill == SLOTS && !make_room(table, other))
		return NULL;
	count_away(first, 1);
	return second;
}

/* Clears all of it but the sequence, which others watch. */
static void clear(struct conn *conn, const struct conn_key *key)
{
	const size_t from = offsetof(struct conn, port);

	conn->key = *key;
	memset(conn->l2, 0, sizeof(conn->l2));
	memset((char *)conn + from, 0, sizeof(*conn) - from);
}

_Static_assert(offsetof(struct conn, sequence) == 64 && offsetof(struct conn, port) == 68,
	"clear() leaves out the sequence and nothing else");

struct conn *conn_table_add(struct conn_table *table, const struct conn_view *view)
{
	uint32_t index = table->free;
	struct bucket *bucket;
	struct conn *conn;

	if (index == CONN_NONE_INDEX)
		return NULL;
	bucket = count_legs(table, view) < CONN_LEGS_MAX ? choose(table, view->hash) : NULL;
	if (bucket == NULL) {
		__atomic_store_n(&table->refused, table->refused + 1, __ATOMIC_RELAXED);
		return NULL;
	}
	conn = &table->conns[index];
	table->free = conn->wheel_next;
	conn_change_begin(conn);
	clear(conn, &view->key);
	memset(&table->details[index], 0, sizeof(table->details[index]));
	conn_change_end(conn);
	put(bucket, signature_of(view->hash), index);
	__atomic_store_n(&table->used, table->used + 1, __ATOMIC_RELAXED);
	return conn;
}

/* Empties the slot of b that has entry `index`; false where none has. */
static bool unlink_slot(struct bucket *b, uint16_t signature, uint32_t index)
{
	for (unsigned bits = match(b, signature); bits != 0; bits &= bits - 1) {
		unsigned slot = (unsigned)__builtin_ctz(bits);

		if (b->index[slot] == index) {
			__atomic_store_n(&b->signature[slot], 0, __ATOMIC_RELAXED);
			return true;
		}
	}
	return false;
}

void conn_table_remove(struct conn_table *table, struct conn *conn)
{
	uint32_t hash = conn_key_hash(&conn->key), n = hash & table->mask;
	uint32_t index = conn_table_index(table, conn);
	uint16_t signature = signature_of(hash);
	struct bucket *first = &table->buckets[n];

	if (!unlink_slot(first, signature, index)) {
		unlink_slot(&table->buckets[other_bucket(table, n, signature)], signature, index);
		count_away(first, UINT32_MAX);
	}
	conn_change_begin(conn);
	conn->state = CONN_FREE;
	conn->wheel_next = table->free;
	conn_change_end(conn);
	table->free = index;
	__atomic_store_n(&table->used, table->used - 1, __ATOMIC_RELAXED);
}

static unsigned bucket_rivals(
	const struct conn_table *table, const struct bucket *b, struct conn **rivals)
{
	unsigned n = 0;

	for (unsigned i = 0; i < SLOTS; i++)
		if (b->signature[i] != 0)
			rivals[n++] = &table->conns[b->index[i]];
	return n;
}

unsigned conn_table_rivals(
	struct conn_table *table, const struct conn_view *view, struct conn **rivals)
{
	uint32_t first = view->hash & table->mask;
	uint32_t second = other_bucket(table, first, signature_of(view->hash));
	unsigned n = bucket_rivals(table, &table->buckets[first], rivals);

	return n + bucket_rivals(table, &table->buckets[second], rivals + n);
}

struct conn_detail *conn_table_detail(struct conn_table *table, const struct conn *conn)
{
	return &table->details[conn - table->conns];
}

struct conn *conn_table_at(struct conn_table *table, uint32_t index)
{
	return &table->conns[index];
}

uint32_t conn_table_index(const struct conn_table *table, const struct conn *conn)
{
	return (uint32_t)(conn - table->conns);
}

/* A word at a time, while its owner may write. */
static inline void copy_words(void *to, const void *from, size_t len)
{
	const uint64_t *src = from;
	uint64_t *dst = to;

	for (size_t i = 0; i < len / sizeof(*src); i++)
		dst[i] = __atomic_load_n(&src[i], __ATOMIC_RELAXED);
}

bool conn_table_read(const struct conn_table *table, uint32_t index, struct conn *conn,
	struct conn_detail *detail)
{
	const struct conn *entry;
	uint32_t sequence;

	if (index >= table->capacity)
		return false;
	entry = &table->conns[index];
	sequence = __atomic_load_n(&entry->sequence, __ATOMIC_ACQUIRE);
	if (sequence & 1)
		return false;
	copy_words(conn, entry, sizeof(*conn));
	if (detail != NULL)
		copy_words(detail, &table->details[index], sizeof(*detail));
	__atomic_thread_fence(__ATOMIC_ACQUIRE);
	return __atomic_load_n(&entry->sequence, __ATOMIC_RELAXED) == sequence &&
	       conn->state != CONN_FREE;
}

/* Looks for view in one bucket; keeps the best that was found so far in conn and detail. */
static enum fit peek_bucket(const struct conn_table *table, const struct bucket *b,
	const struct conn_view *view, uint16_t port, const uint8_t *l2, enum fit best,
	struct conn *conn, struct conn_detail *detail)
{
	uint16_t signature = signature_of(view->hash);

	for (unsigned i = 0; i < SLOTS && best != FIT_BOUND; i++) {
		struct conn_detail d;
		struct conn c;
		enum fit f;

		if (__atomic_load_n(&b->signature[i], __ATOMIC_ACQUIRE) != signature ||
			!conn_table_read(
				table, __atomic_load_n(&b->index[i], __ATOMIC_RELAXED), &c, &d) ||
			!key_equal(&c.key, &view->key))
			continue;
		f = fit(&c, view->sender, port, l2);
		if (f <= best)
			continue;
		best = f;
		*conn = c;
		if (detail != NULL)
			*detail = d;
	}
	return best;
}

bool conn_table_peek(const struct conn_table *table, const struct conn_view *view, uint16_t port,
	const uint8_t *l2, struct conn *conn, struct conn_detail *detail)
{
	uint32_t first = view->hash & table->mask;
	uint32_t second = other_bucket(table, first, signature_of(view->hash));
	enum fit best = FIT_NOT;

	best = peek_bucket(table, &table->buckets[first], view, port, l2, best, conn, detail);
	best = peek_bucket(table, &table->buckets[second], view, port, l2, best, conn, detail);
	return best != FIT_NOT;
}
