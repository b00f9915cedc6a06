#include "fragments.h"

#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include <rte_jhash.h>
#include <rte_random.h>

#include "addr.h"
#include "worker.h"

#define BUCKETS       (2 * FRAGMENTS_PACKETS)
#define L2_MAX        24 /* an Ethernet header with two tags, rounded up */
#define PACKETS_SHARE (FRAGMENTS_PACKETS / FRAGMENTS_SHARE)

/* Hashed and compared whole: no padding. */
struct fragment_key {
	struct addr from, to;
	uint8_t l2[L2_MAX];
	uint32_t id;
	uint16_t port;
	uint16_t network;
	uint32_t family_proto;
	uint32_t zero;
};

_Static_assert(sizeof(struct fragment_key) == 2 * 16 + L2_MAX + 16, "no padding");

/* A fragment that waits. */
struct piece {
	TAILQ_ENTRY(piece) link; /* in order of offset; or free */
	struct rte_mbuf *m;
	uint32_t offset, end; /* bytes of the packet's payload */
};

TAILQ_HEAD(piece_list, piece);

/* A packet of which not all is there. */
struct partial {
	LIST_ENTRY(partial) chain; /* in its bucket; or free */
	TAILQ_ENTRY(partial) age; /* of all, the oldest first */
	TAILQ_ENTRY(partial) port_age; /* of its port's */
	struct fragment_key key;
	struct piece_list pieces;
	uint64_t since; /* worker.now at its first fragment */
	uint32_t have; /* bytes of payload */
	uint32_t end; /* of the furthest piece */
	uint32_t total; /* bytes of payload of the whole; 0: the last one is not there yet */
	unsigned n; /* pieces */
	bool dead; /* what comes of it is dropped */
};

/* What a port holds. */
struct holder {
	TAILQ_ENTRY(holder) link; /* while it holds any */
	TAILQ_HEAD(held_packets, partial) packets; /* the oldest first */
	uint32_t serial; /* of the port */
	unsigned n; /* packets */
	unsigned buffers;
};

struct fragments {
	LIST_HEAD(bucket, partial) buckets[BUCKETS];
	LIST_HEAD(free_list, partial) free_partials;
	struct piece_list free_pieces;
	TAILQ_HEAD(by_age, partial) age;
	TAILQ_HEAD(holder_list, holder) holders;
	unsigned n; /* packets */
	unsigned buffers, max_buffers;
	uint32_t seed;
	uint64_t met; /* serial of the snapshot in which all ports with fragments were found */
	struct holder ports[MAX_PORTS];
	struct partial partials[FRAGMENTS_PACKETS];
	struct piece pieces[FRAGMENTS_BUFFERS]; /* each has one buffer at least */
};

struct fragments *fragments_create(unsigned buffers)
{
	struct fragments *f = calloc(1, sizeof(*f));

	if (f == NULL)
		return NULL;
	buffers = RTE_MAX(buffers, FRAGMENTS_BUFFERS_MIN);
	f->max_buffers = RTE_MIN(buffers, FRAGMENTS_BUFFERS);
	f->seed = (uint32_t)rte_rand();
	LIST_INIT(&f->free_partials);
	TAILQ_INIT(&f->free_pieces);
	TAILQ_INIT(&f->age);
	TAILQ_INIT(&f->holders);
	for (unsigned i = 0; i < MAX_PORTS; i++)
		TAILQ_INIT(&f->ports[i].packets);
	for (unsigned i = 0; i < FRAGMENTS_PACKETS; i++)
		LIST_INSERT_HEAD(&f->free_partials, &f->partials[i], chain);
	for (unsigned i = 0; i < FRAGMENTS_BUFFERS; i++)
		TAILQ_INSERT_TAIL(&f->free_pieces, &f->pieces[i], link);
	return f;
}

void fragments_free(struct fragments *f)
{
	struct partial *partial;
	struct piece *piece;

	if (f == NULL)
		return;
	TAILQ_FOREACH (partial, &f->age, age)
		TAILQ_FOREACH (piece, &partial->pieces, link)
			rte_pktmbuf_free(piece->m);
	free(f);
}

unsigned fragments_waiting(const struct fragments *f)
{
	return f->n;
}

/* Takes the first piece out; its fragment is the caller's. */
static struct rte_mbuf *take_piece(struct fragments *f, struct partial *partial)
{
	struct piece *piece = TAILQ_FIRST(&partial->pieces);
	struct rte_mbuf *m = piece->m;

	TAILQ_REMOVE(&partial->pieces, piece, link);
	TAILQ_INSERT_HEAD(&f->free_pieces, piece, link);
	partial->n--;
	f->buffers -= m->nb_segs;
	f->ports[partial->key.port].buffers -= m->nb_segs;
	return m;
}

static void drop_pieces(
	struct fragments *f, struct worker *w, struct partial *partial, enum drop_reason reason)
{
	while (partial->n > 0)
		worker_drop(w, partial->key.port, take_piece(f, partial), reason);
}

/* Forgets a packet that has no pieces any more. */
static void forget(struct fragments *f, struct partial *partial)
{
	struct holder *holder = &f->ports[partial->key.port];

	LIST_REMOVE(partial, chain);
	LIST_INSERT_HEAD(&f->free_partials, partial, chain);
	TAILQ_REMOVE(&f->age, partial, age);
	TAILQ_REMOVE(&holder->packets, partial, port_age);
	f->n--;
	if (--holder->n == 0)
		TAILQ_REMOVE(&f->holders, holder, link);
}

static void drop_partial(
	struct fragments *f, struct worker *w, struct partial *partial, enum drop_reason reason)
{
	drop_pieces(f, w, partial, reason);
	forget(f, partial);
}

/* Drops what is there of it and what comes, until its time is over. */
static void kill_partial(
	struct fragments *f, struct worker *w, struct partial *partial, enum drop_reason reason)
{
	drop_pieces(f, w, partial, reason);
	partial->dead = true;
}

/* Drops up to budget packets of holder's; false where some are left. */
static bool drop_gone(
	struct fragments *f, struct worker *w, struct holder *holder, unsigned *budget)
{
	for (; holder->n > 0; (*budget)--) {
		if (*budget == 0)
			return false;
		drop_partial(f, w, TAILQ_FIRST(&holder->packets), DROP_port_gone);
	}
	return true;
}

/* What port holds; nothing of a port that had its id before. */
static struct holder *holder_of(struct fragments *f, struct worker *w, const struct port *port)
{
	struct holder *holder = &f->ports[port->id];
	unsigned all = FRAGMENTS_PACKETS;

	if (holder->serial != port->serial)
		drop_gone(f, w, holder, &all);
	holder->serial = port->serial;
	return holder;
}

/* Of those that hold any, the one with the most packets or buffers. */
static struct holder *greediest(struct fragments *f, bool buffers)
{
	struct holder *holder, *most = TAILQ_FIRST(&f->holders);

	TAILQ_FOREACH (holder, &f->holders, link)
		if (buffers ? holder->buffers > most->buffers : holder->n > most->n)
			most = holder;
	return most;
}

static void drop_oldest(struct fragments *f, struct worker *w, struct holder *holder)
{
	drop_partial(f, w, TAILQ_FIRST(&holder->packets), DROP_fragment_limit);
}

/* For so many more buffers of holder's; false where they are more than any port may have. */
static bool make_room(
	struct fragments *f, struct worker *w, struct holder *holder, unsigned buffers)
{
	unsigned share = f->max_buffers / FRAGMENTS_SHARE;

	if (buffers > share)
		return false;
	while (holder->buffers + buffers > share)
		drop_oldest(f, w, holder);
	while (f->buffers + buffers > f->max_buffers)
		drop_oldest(f, w, greediest(f, true));
	return true;
}

static void make_key(const struct port *port, const struct rte_mbuf *m, const struct packet *p,
	const struct packet_fragment *info, struct fragment_key *key)
{
	const uint8_t *ip = rte_pktmbuf_mtod_offset(m, const uint8_t *, p->l3_off);
	bool ipv4 = p->flags & PACKET_IPV4;

	*key = (struct fragment_key){
		.from = ipv4 ? addr_from_ipv4(ip + 12) : addr_from_ipv6(ip + 8),
		.to = ipv4 ? addr_from_ipv4(ip + 16) : addr_from_ipv6(ip + 24),
		.id = info->id,
		.port = port->id,
		.network = port->network,
		.family_proto = (ipv4 ? 4u : 6u) << 8 | info->proto,
	};
	memcpy(key->l2, rte_pktmbuf_mtod(m, const uint8_t *), RTE_MIN(p->l3_off, L2_MAX));
}

static unsigned bucket_of(const struct fragments *f, const struct fragment_key *key)
{
	return rte_jhash_32b((const uint32_t *)key, sizeof(*key) / 4, f->seed) % BUCKETS;
}

static bool is_over(const struct partial *partial, const struct worker *w)
{
	return (int64_t)(w->now - partial->since) >= (int64_t)(FRAGMENTS_TIMEOUT * w->hz);
}

/* NULL where nothing of it is there, or was, but too long ago. */
static struct partial *find(
	struct fragments *f, struct worker *w, const struct fragment_key *key, unsigned bucket)
{
	struct partial *partial;

	LIST_FOREACH (partial, &f->buckets[bucket], chain)
		if (memcmp(&partial->key, key, sizeof(*key)) == 0)
			break;
	if (partial == NULL || !is_over(partial, w))
		return partial;
	drop_partial(f, w, partial, DROP_fragment_timeout);
	return NULL;
}

static struct partial *start(struct fragments *f, struct worker *w, struct holder *holder,
	const struct fragment_key *key, unsigned bucket)
{
	struct partial *partial;

	if (holder->n == PACKETS_SHARE)
		drop_oldest(f, w, holder);
	else if (f->n == FRAGMENTS_PACKETS)
		drop_oldest(f, w, greediest(f, false));
	partial = LIST_FIRST(&f->free_partials);
	LIST_REMOVE(partial, chain);
	*partial = (struct partial){.key = *key, .since = w->now};
	TAILQ_INIT(&partial->pieces);
	LIST_INSERT_HEAD(&f->buckets[bucket], partial, chain);
	TAILQ_INSERT_TAIL(&f->age, partial, age);
	TAILQ_INSERT_TAIL(&holder->packets, partial, port_age);
	f->n++;
	if (holder->n++ == 0)
		TAILQ_INSERT_TAIL(&f->holders, holder, link);
	return partial;
}

enum fit { FITS, DUPLICATE, CONFLICT };

/* Whether it goes with what is there; *before: the piece that it belongs before, NULL: behind all.
 */
static enum fit fit(
	const struct partial *partial, const struct packet_fragment *info, struct piece **before)
{
	uint32_t end = info->offset + info->len;
	struct piece *piece;

	*before = NULL;
	if ((partial->total != 0 && end > partial->total) || (!info->more && end < partial->end))
		return CONFLICT;
	if (info->offset >= partial->end)
		return FITS;
	TAILQ_FOREACH (piece, &partial->pieces, link)
		if (piece->end > info->offset)
			break;
	*before = piece;
	if (piece == NULL || piece->offset >= end)
		return FITS;
	if (piece->offset == info->offset && piece->end == end &&
		info->more == (partial->total != end))
		return DUPLICATE;
	return CONFLICT;
}

static void insert(struct fragments *f, struct partial *partial, struct rte_mbuf *m,
	const struct packet_fragment *info, struct piece *before)
{
	struct piece *piece = TAILQ_FIRST(&f->free_pieces);

	TAILQ_REMOVE(&f->free_pieces, piece, link);
	piece->m = m;
	piece->offset = info->offset;
	piece->end = info->offset + info->len;
	if (before != NULL)
		TAILQ_INSERT_BEFORE(before, piece, link);
	else
		TAILQ_INSERT_TAIL(&partial->pieces, piece, link);
	partial->n++;
	partial->have += info->len;
	partial->end = RTE_MAX(partial->end, piece->end);
	if (!info->more)
		partial->total = piece->end;
	f->buffers += m->nb_segs;
	f->ports[partial->key.port].buffers += m->nb_segs;
}

/* The facts about the whole, of total bytes of payload. -1, or why it is dropped. */
static int parse_whole(const struct rte_mbuf *m, uint32_t total, struct packet *first)
{
	struct packet_fragment info;
	uint32_t header, upper;
	int reason = packet_parse(m, first);

	if (reason >= 0)
		return reason;
	packet_fragment(m, first, &info);
	/* IPv4 counts its header in the length, IPv6 what is behind it without the fragment's. */
	header = first->flags & PACKET_IPV4 ? info.header : info.header - 40u - 8u;
	if (header + total > PACKET_L3_MAX)
		return DROP_fragment_invalid;
	upper = first->l4_off - first->l3_off - info.header;
	return packet_parse_whole(m, total - upper, first);
}

static unsigned complete(struct fragments *f, struct worker *w, struct partial *partial,
	struct rte_mbuf **out, struct packet *first)
{
	unsigned n = 0;
	int reason;

	while (partial->n > 0)
		out[n++] = take_piece(f, partial);
	forget(f, partial);
	reason = parse_whole(out[0], partial->total, first);
	if (reason < 0)
		return n;
	for (unsigned i = 0; i < n; i++)
		worker_drop(w, partial->key.port, out[i], reason);
	return 0;
}

/* Puts m where it belongs in partial (NULL: none yet). The packet if it is whole now, or NULL. */
static struct partial *place(struct fragments *f, struct worker *w, struct holder *holder,
	struct partial *partial, const struct fragment_key *key, unsigned bucket,
	struct rte_mbuf *m, const struct packet_fragment *info)
{
	enum drop_reason reason = DROP_fragment_invalid;
	struct piece *before = NULL;
	enum fit fits = partial != NULL ? fit(partial, info, &before) : FITS;

	if (fits == CONFLICT)
		kill_partial(f, w, partial, reason);
	if (fits != FITS)
		goto drop;
	reason = DROP_fragment_limit;
	if (partial != NULL && partial->n == FRAGMENTS_PER_PACKET) {
		kill_partial(f, w, partial, reason);
		goto drop;
	}
	/* Room may have been made at the cost of the packet itself, which had a piece before. */
	if (!make_room(f, w, holder, m->nb_segs) || (partial != NULL && partial->n == 0))
		goto drop;
	if (partial == NULL)
		partial = start(f, w, holder, key, bucket);
	insert(f, partial, m, info, before);
	return partial->have == partial->total ? partial : NULL;
drop:
	worker_drop(w, key->port, m, reason);
	return NULL;
}

unsigned fragments_add(struct fragments *f, struct worker *w, const struct port *port,
	struct rte_mbuf *m, const struct packet *p, struct rte_mbuf **out, struct packet *first)
{
	struct packet_fragment info;
	struct fragment_key key;
	struct holder *holder;
	struct partial *partial;
	unsigned bucket;

	packet_fragment(m, p, &info);
	if (!packet_fragment_is_sane(&info)) {
		worker_drop(w, port->id, m, DROP_fragment_invalid);
		return 0;
	}
	holder = holder_of(f, w, port);
	make_key(port, m, p, &info, &key);
	bucket = bucket_of(f, &key);
	partial = find(f, w, &key, bucket);
	if (partial != NULL && partial->dead) {
		worker_drop(w, port->id, m, DROP_fragment_invalid);
		return 0;
	}
	partial = place(f, w, holder, partial, &key, bucket, m, &info);
	return partial != NULL ? complete(f, w, partial, out, first) : 0;
}

/* Drops what is of ports that are gone. False where some is left. */
static bool sweep_ports(struct fragments *f, struct worker *w, unsigned *budget)
{
	struct holder *holder = TAILQ_FIRST(&f->holders), *next;

	if (w->snapshot->serial == f->met)
		return true;
	for (; holder != NULL; holder = next) {
		const struct port *port = w->snapshot->ports[holder - f->ports];

		next = TAILQ_NEXT(holder, link);
		if (port != NULL && port->serial == holder->serial)
			continue;
		if (!drop_gone(f, w, holder, budget))
			return false;
	}
	f->met = w->snapshot->serial;
	return true;
}

bool fragments_expire(struct fragments *f, struct worker *w, unsigned budget)
{
	struct partial *partial;

	if (!sweep_ports(f, w, &budget))
		return true;
	for (; (partial = TAILQ_FIRST(&f->age)) != NULL && is_over(partial, w); budget--) {
		if (budget == 0)
			return true;
		drop_partial(f, w, partial, DROP_fragment_timeout);
	}
	return false;
}
