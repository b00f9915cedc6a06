/*
 * Ports of guests: vhost-user, on the vhost library of DPDK. The driver's interface is
 * vhost_user_driver in port_driver.h; README.md says how its files share the work.
 *
 * Descriptors that one guest costs: 1 for its connection, 6 for each queue pair (kicks and calls of
 * two rings, and two of the driver's own for each pair), 1 for each of its memory regions (8 at the
 * most), 1 for its back channel; in server mode 1 more for the socket that listens.
 */
#ifndef VS_VHOST_USER_H
#define VS_VHOST_USER_H

struct config_access;

/*
 * Who may use the sockets, and the directories, that ports make from now on. Without this they are
 * root's. Control thread, before the first port is opened.
 */
void vhost_user_set_access(const struct config_access *access);

#endif
