/*
 * The members of a bond: how they come in, go out, and what `port show` says of them. Part of
 * ethdev_bond; control thread but for what is atomic.
 */
#ifndef VS_ETHDEV_BOND_MEMBER_H
#define VS_ETHDEV_BOND_MEMBER_H

#include <jansson.h>

#include "ethdev.h"

struct bond_member {
	struct ethdev device; /* found, but configured and started by the library */
	bool in; /* the bond has it */
	bool polled; /* the library looks for its link, as it tells nothing of that */
	bool odd; /* when it was looked at, the library thought otherwise of its link */
	char error[256]; /* why it is not in */
};

struct bond {
	struct ethdev device; /* first: the bond is a device itself */
	struct bond_member members[CONFIG_BOND_MEMBERS_MAX];
	unsigned n_members;
	_Atomic unsigned n_in;
	bool lacp;
	bool polls; /* the library has its timer for members' links */
	bool outdated; /* has to be opened anew for a member to come in */
	uint64_t checked; /* when members were looked at, in TSC cycles */
	_Atomic uint64_t flushed; /* when the library could send LACPDUs, in TSC cycles */
	_Atomic uint64_t tx_lost; /* frames that one member did not take, behind others that went */
};

/* Takes in the members that are there and not in yet, before the bond starts or while it runs. */
void bond_members_in(struct bond *bond);

/*
 * Leaves out those that are gone or have no carrier, and those whose link the library has got
 * wrong, as it may where a driver promises to tell of it and does not: they come in anew. No worker
 * uses them on return. */
void bond_members_out(struct bond *bond);

/* Leaves out all, when no worker uses the bond any more. */
void bond_members_close(struct bond *bond);

/* The caller owns the list. */
json_t *bond_members_describe(const struct bond *bond);

/* Whether a frame can go out by one of them. */
bool bond_members_agree(const struct bond *bond);

#endif
