#include "xdp_program.h"

#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <linux/if_link.h>

#include "log.h"
#include "xdp_attached.h"
#include "xdp_edge.skel.h"
#include "xdp_lock.h"
#include "xdp_set.h"

struct xdp_program {
	unsigned ifindex;
	uint32_t id, mode; /* XDP_FLAGS_DRV_MODE or XDP_FLAGS_SKB_MODE */
	int lock;
	int cpus; /* that per-CPU maps have values of */
	struct xdp_edge *edge; /* the skeleton */
	struct xdp_set macs, vnis, underlay, sources;
	struct edge_drops *zero; /* a value for each CPU */
	bool vlans[EDGE_VLANS];
};

static const uint8_t present = 1;

static const char *interface_name(unsigned ifindex, char name[IF_NAMESIZE])
{
	if (if_indextoname(ifindex, name) == NULL)
		snprintf(name, IF_NAMESIZE, "#%u", ifindex);
	return name;
}

static void complain_of_other(
	unsigned ifindex, const struct xdp_attached *other, char *err, size_t err_len)
{
	char name[IF_NAMESIZE];

	interface_name(ifindex, name);
	snprintf(err, err_len,
		"%s: has an XDP program of another's (id %u, \"%s\"): take it off (ip link set dev "
		"%s xdp off), or use another interface",
		name, other->id, other->name, name);
}

static void complain(unsigned ifindex, const char *what, int rc, char *err, size_t err_len)
{
	char name[IF_NAMESIZE];

	snprintf(err, err_len, "%s: %s: %s%s", interface_name(ifindex, name), what, strerror(-rc),
		rc == -EPERM ? ": the switch needs CAP_BPF, CAP_NET_ADMIN and CAP_NET_RAW" : "");
}

/* libbpf would have its say on standard error, once a second; what is wrong is the port's error. */
static int be_quiet(enum libbpf_print_level level, const char *format, va_list args)
{
	(void)level;
	(void)format;
	(void)args;
	return 0;
}

static int load(struct xdp_program *p, unsigned queues)
{
	p->edge = xdp_edge__open();
	if (p->edge == NULL)
		return -errno;
	bpf_map__set_max_entries(p->edge->maps.edge_sockets, queues);
	return xdp_edge__load(p->edge);
}

static void init_sets(struct xdp_program *p)
{
	const struct xdp_edge *edge = p->edge;

	xdp_set_init(&p->macs, bpf_map__fd(edge->maps.edge_macs), sizeof(struct edge_mac),
		EDGE_MACS_MAX, &present, "guests' MACs",
		"frames without a tag for others pass to the host, not to their guests");
	xdp_set_init(&p->vnis, bpf_map__fd(edge->maps.edge_vnis), sizeof(uint32_t), EDGE_VNIS_MAX,
		&present, "VNIs", "VXLAN with others passes to the host");
	xdp_set_init(&p->underlay, bpf_map__fd(edge->maps.edge_underlay),
		sizeof(struct edge_underlay), EDGE_UNDERLAY_MAX, &present, "underlay addresses",
		"VXLAN to others passes to the host");
	xdp_set_init(&p->sources, bpf_map__fd(edge->maps.edge_sources), sizeof(struct edge_source),
		EDGE_SOURCES_MAX, p->zero, "sources in quarantine",
		"what comes from others is dropped by the switch itself");
}

/* What quarantine means in its networks. False: it could not all be had. */
static bool take_over_rules(struct xdp_program *p, int stale)
{
	int to = bpf_map__fd(p->edge->maps.edge_rules);
	int from = xdp_attached_map(
		stale, EDGE_RULES, BPF_MAP_TYPE_HASH, sizeof(uint32_t), sizeof(struct edge_rules));
	struct edge_rules rules;
	uint32_t key, next;
	bool all = from >= 0;

	for (const void *at = NULL; all && bpf_map_get_next_key(from, at, &next) == 0; at = &key) {
		key = next;
		all = bpf_map_lookup_elem(from, &key, &rules) == 0 &&
		      bpf_map_update_elem(to, &key, &rules, BPF_ANY) == 0;
	}
	if (from >= 0)
		close(from);
	return all;
}

/*
 * Sources that the stale program drops are dropped by p, too, before it takes its place. Where it
 * is another version's, and its maps are other ones, they are the switch's to bring back.
 */
static void take_over(struct xdp_program *p, int stale)
{
	int map = xdp_attached_map(stale, EDGE_SOURCES, BPF_MAP_TYPE_PERCPU_HASH,
		sizeof(struct edge_source), sizeof(struct edge_drops));
	struct edge_source key, next;

	if (map < 0 || !take_over_rules(p, stale)) {
		if (map >= 0)
			close(map);
		return;
	}
	for (const void *at = NULL; bpf_map_get_next_key(map, at, &next) == 0; at = &key) {
		key = next;
		xdp_set_put(&p->sources, &key, true);
	}
	close(map);
}

/* In the place of the stale one, and of no other. */
static int replace(struct xdp_program *p, const struct xdp_attached *stale)
{
	int fd = xdp_attached_open(stale), rc;
	LIBBPF_OPTS(bpf_xdp_attach_opts, opts, .old_prog_fd = fd);

	if (fd < 0)
		return -EBUSY;
	take_over(p, fd);
	rc = bpf_xdp_attach(
		(int)p->ifindex, bpf_program__fd(p->edge->progs.vswitch_edge), stale->mode, &opts);
	close(fd);
	p->mode = stale->mode;
	return rc;
}

/* Where there is none. */
static int put_on(struct xdp_program *p)
{
	int fd = bpf_program__fd(p->edge->progs.vswitch_edge), rc = -EOPNOTSUPP;

	p->mode = XDP_FLAGS_DRV_MODE;
	if (xdp_attached_native_will_do(p->ifindex))
		rc = bpf_xdp_attach((int)p->ifindex, fd,
			XDP_FLAGS_DRV_MODE | XDP_FLAGS_UPDATE_IF_NOEXIST, NULL);
	if (rc == 0 || rc == -EBUSY || rc == -EEXIST || rc == -EPERM || rc == -ENODEV)
		return rc;
	p->mode = XDP_FLAGS_SKB_MODE;
	return bpf_xdp_attach(
		(int)p->ifindex, fd, XDP_FLAGS_SKB_MODE | XDP_FLAGS_UPDATE_IF_NOEXIST, NULL);
}

/* What is there may be replaced, or there is nothing. False with err. */
static bool may_attach(unsigned ifindex, struct xdp_attached *found, char *err, size_t err_len)
{
	int rc = xdp_attached_find(ifindex, found);

	if (rc != 0)
		complain(ifindex, "cannot be looked at", rc, err, err_len);
	else if (found->id != 0 && !found->ours)
		complain_of_other(ifindex, found, err, err_len);
	else
		return true;
	return false;
}

int xdp_program_check(unsigned ifindex, char *err, size_t err_len)
{
	libbpf_print_fn_t before = libbpf_set_print(be_quiet);
	struct xdp_attached found;
	bool may = may_attach(ifindex, &found, err, err_len);
	int lock = may ? xdp_lock(ifindex, err, err_len) : -1;

	libbpf_set_print(before);
	if (lock >= 0)
		close(lock);
	return lock >= 0 ? 0 : -1;
}

static bool attach(struct xdp_program *p, unsigned queues, char *err, size_t err_len)
{
	struct xdp_attached found;
	int rc;

	if (!may_attach(p->ifindex, &found, err, err_len))
		return false;
	rc = load(p, queues);
	if (rc != 0) {
		complain(p->ifindex, "the kernel does not take the XDP program", rc, err, err_len);
		return false;
	}
	init_sets(p);
	rc = found.id != 0 ? replace(p, &found) : put_on(p);
	if (rc != 0)
		complain(p->ifindex, "the XDP program cannot be attached", rc, err, err_len);
	return rc == 0;
}

static void destroy(struct xdp_program *p)
{
	xdp_set_free(&p->macs);
	xdp_set_free(&p->vnis);
	xdp_set_free(&p->underlay);
	xdp_set_free(&p->sources);
	xdp_edge__destroy(p->edge);
	if (p->lock >= 0)
		close(p->lock);
	free(p->zero);
	free(p);
}

static bool learn_id(struct xdp_program *p)
{
	struct bpf_prog_info info = {0};
	uint32_t len = sizeof(info);

	if (bpf_obj_get_info_by_fd(bpf_program__fd(p->edge->progs.vswitch_edge), &info, &len) != 0)
		return false;
	p->id = info.id;
	return true;
}

struct xdp_program *xdp_program_attach(unsigned ifindex, unsigned queues, char *err, size_t err_len)
{
	struct xdp_program *p = calloc(1, sizeof(*p));
	int cpus = libbpf_num_possible_cpus();
	libbpf_print_fn_t before;
	bool attached;

	if (p == NULL || cpus <= 0 || (p->zero = calloc((size_t)cpus, sizeof(*p->zero))) == NULL) {
		snprintf(err, err_len, "out of memory");
		free(p);
		return NULL;
	}
	p->ifindex = ifindex;
	p->cpus = cpus;
	p->lock = xdp_lock(ifindex, err, err_len);
	before = libbpf_set_print(be_quiet);
	attached = p->lock >= 0 && attach(p, queues, err, err_len);
	libbpf_set_print(before);
	if (!attached) {
		destroy(p);
		return NULL;
	}
	if (!learn_id(p)) {
		snprintf(err, err_len, "the XDP program's id cannot be had: %s", strerror(errno));
		xdp_program_detach(p);
		return NULL;
	}
	return p;
}

void xdp_program_detach(struct xdp_program *p)
{
	LIBBPF_OPTS(bpf_xdp_attach_opts, opts,
		.old_prog_fd = bpf_program__fd(p->edge->progs.vswitch_edge));
	static const struct edge_source none;
	libbpf_print_fn_t before = libbpf_set_print(be_quiet);
	char name[IF_NAMESIZE];
	int rc = bpf_xdp_detach((int)p->ifindex, p->mode, &opts);

	libbpf_set_print(before);
	/* Where it could not be taken off, in another network namespace by now, it has no say left.
	 */
	if (rc != 0)
		xdp_set_replace(&p->sources, &none, 0, &none, 0);
	/* -EEXIST: another's is there; -EBUSY: in the other mode. */
	if (rc != 0 && rc != -ENODEV && rc != -ENOENT && rc != -EEXIST && rc != -EBUSY)
		log_warning("%s: the XDP program cannot be taken off: %s",
			interface_name(p->ifindex, name), strerror(-rc));
	destroy(p);
}

bool xdp_program_is_attached(struct xdp_program *p)
{
	struct xdp_attached found;

	xdp_lock_answer(p->lock);
	return xdp_attached_find(p->ifindex, &found) == 0 && found.id == p->id;
}

uint32_t xdp_program_id(const struct xdp_program *p)
{
	return p->id;
}

bool xdp_program_is_native(const struct xdp_program *p)
{
	return p->mode == XDP_FLAGS_DRV_MODE;
}

int xdp_program_set_socket(struct xdp_program *p, unsigned queue, int xsk_fd)
{
	int map = bpf_map__fd(p->edge->maps.edge_sockets), rc;

	if (xsk_fd >= 0)
		return bpf_map_update_elem(map, &queue, &xsk_fd, BPF_ANY);
	rc = bpf_map_delete_elem(map, &queue);
	return rc == -ENOENT ? 0 : rc;
}

static int forget_sources(struct xdp_program *p, uint32_t network)
{
	return xdp_program_set_quarantine(p, network, NULL, NULL, 0);
}

int xdp_program_set_vlan(struct xdp_program *p, uint16_t vlan, bool ours)
{
	uint32_t key = vlan, value = ours;
	int rc;

	if (vlan >= EDGE_VLANS)
		return -EINVAL;
	rc = bpf_map_update_elem(bpf_map__fd(p->edge->maps.edge_vlans), &key, &value, BPF_ANY);
	if (rc != 0)
		return rc;
	p->vlans[vlan] = ours;
	return ours ? 0 : forget_sources(p, EDGE_OF_VLAN(vlan));
}

int xdp_program_set_mac(struct xdp_program *p, const uint8_t mac[6], bool ours)
{
	struct edge_mac key = {0};

	memcpy(key.bytes, mac, sizeof(key.bytes));
	return xdp_set_put(&p->macs, &key, ours);
}

int xdp_program_set_macs(struct xdp_program *p, const uint8_t (*macs)[6], unsigned n)
{
	struct edge_mac *keys = calloc(n + 1, sizeof(*keys));
	int rc;

	if (keys == NULL)
		return -ENOMEM;
	for (unsigned i = 0; i < n; i++)
		memcpy(keys[i].bytes, macs[i], sizeof(keys[i].bytes));
	rc = xdp_set_replace(&p->macs, keys, 0, keys, n);
	free(keys);
	return rc;
}

int xdp_program_set_vni(struct xdp_program *p, uint32_t vni, bool ours)
{
	int rc = xdp_set_put(&p->vnis, &vni, ours);

	return rc != 0 || ours ? rc : forget_sources(p, EDGE_OF_VNI(vni));
}

/* As on the wire, IPv4 mapped into IPv6. */
static void write_addr(uint8_t to[16], struct addr addr)
{
	uint64_t v[2] = {__builtin_bswap64(addr.high), __builtin_bswap64(addr.low)};

	memcpy(to, v, sizeof(v));
}

int xdp_program_set_underlay(
	struct xdp_program *p, uint16_t vlan, struct addr addr, uint16_t port, bool ours)
{
	struct edge_underlay key = {.port = htons(port), .vlan = vlan};

	write_addr(key.addr, addr);
	return xdp_set_put(&p->underlay, &key, ours);
}

static struct edge_source source_key(uint32_t network, struct addr addr, uint32_t level)
{
	struct edge_source key = {.network = network, .level = level};

	write_addr(key.addr, addr);
	return key;
}

/* None where there is no source: then the program need not look for any. */
static int set_rules(struct xdp_program *p, uint32_t network, const struct edge_rules *rules)
{
	int map = bpf_map__fd(p->edge->maps.edge_rules), rc;

	if (rules != NULL)
		return bpf_map_update_elem(map, &network, rules, BPF_ANY);
	rc = bpf_map_delete_elem(map, &network);
	return rc == -ENOENT ? 0 : rc;
}

int xdp_program_set_quarantine(struct xdp_program *p, uint32_t network,
	const struct edge_rules *rules, const struct xdp_source *sources, unsigned n)
{
	struct edge_source *keys = calloc(n + 1, sizeof(*keys));
	int rc, one;

	if (keys == NULL)
		return -ENOMEM;
	for (unsigned i = 0; i < n; i++)
		keys[i] = source_key(network, sources[i].addr, sources[i].level);
	rc = set_rules(p, network, n > 0 ? rules : NULL);
	one = xdp_set_replace(&p->sources, &network, sizeof(network), keys, n);
	free(keys);
	return rc != 0 ? rc : one;
}

static bool read_drops(
	struct xdp_program *p, const struct edge_source *key, struct edge_drops *drops)
{
	struct edge_drops *each = calloc((size_t)p->cpus, sizeof(*each));
	int rc = -1;

	*drops = (struct edge_drops){0};
	if (each != NULL)
		rc = bpf_map_lookup_elem(bpf_map__fd(p->edge->maps.edge_sources), key, each);
	for (int i = 0; rc == 0 && i < p->cpus; i++) {
		drops->packets += each[i].packets;
		drops->bytes += each[i].bytes;
	}
	free(each);
	return rc == 0;
}

bool xdp_program_drops(
	struct xdp_program *p, uint32_t network, struct addr source, struct edge_drops *drops)
{
	for (uint32_t level = EDGE_SHUT_SERVICES; level <= EDGE_SHUT_HOST; level++) {
		struct edge_source key = source_key(network, source, level);

		if (xdp_set_has(&p->sources, &key))
			return read_drops(p, &key, drops);
	}
	return false;
}

/* Frames that met this end, on all CPUs. */
static uint64_t read_verdict(struct xdp_program *p, uint32_t verdict)
{
	uint64_t *each = calloc((size_t)p->cpus, sizeof(*each)), sum = 0;

	if (each != NULL &&
		bpf_map_lookup_elem(bpf_map__fd(p->edge->maps.edge_counters), &verdict, each) == 0)
		for (int i = 0; i < p->cpus; i++)
			sum += each[i];
	free(each);
	return sum;
}

static json_t *describe_verdicts(struct xdp_program *p)
{
	json_t *object = json_object();

#define VERDICT(id, name)                                                                          \
	json_object_set_new(object, #name, json_integer((json_int_t)read_verdict(p, EDGE_##id)));
	EDGE_VERDICTS(VERDICT)
#undef VERDICT
	return object;
}

static json_t *describe_maps(struct xdp_program *p)
{
	int vlans = 0;

	for (unsigned vlan = 0; vlan < EDGE_VLANS; vlan++)
		vlans += p->vlans[vlan];
	return json_pack("{s:i, s:o, s:o, s:o, s:o}", "vlans", vlans, "macs",
		xdp_set_describe(&p->macs), "vnis", xdp_set_describe(&p->vnis), "underlay",
		xdp_set_describe(&p->underlay), "sources", xdp_set_describe(&p->sources));
}

json_t *xdp_program_describe(struct xdp_program *p)
{
	return json_pack("{s:I, s:s, s:o, s:o}", "id", (json_int_t)p->id, "mode",
		xdp_program_is_native(p) ? "native" : "generic", "maps", describe_maps(p),
		"verdicts", describe_verdicts(p));
}

json_t *xdp_program_sources(struct xdp_program *p, uint32_t network)
{
	const struct edge_source *key = NULL;
	json_t *list = json_array();
	struct edge_drops drops;
	char text[ADDR_TEXT_MAX];

	while (json_array_size(list) < XDP_SOURCES_SHOWN &&
		(key = xdp_set_next(&p->sources, &network, sizeof(network), key)) != NULL) {
		addr_format(addr_from_ipv6(key->addr), text);
		read_drops(p, key, &drops);
		json_array_append_new(
			list, json_pack("{s:s, s:s, s:I, s:I}", "address", text, "level",
				      key->level == EDGE_SHUT_HOST ? "port" : "service", "packets",
				      (json_int_t)drops.packets, "bytes", (json_int_t)drops.bytes));
	}
	return list;
}
