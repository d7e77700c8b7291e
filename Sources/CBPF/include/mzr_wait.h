/* SPDX-License-Identifier: Apache-2.0 */
/* Descriptors to poll for signals and for changes of interfaces. Shims because Swift's Glibc has neither
 * signalfd nor rtnetlink. */
#ifndef MZR_WAIT_H
#define MZR_WAIT_H

#include <stdbool.h>

/* Of our routes and routing rules (rtm_protocol): "m". */
#define MZR_ROUTE_PROTOCOL 0x6d

/* Blocks SIGTERM, SIGINT and SIGHUP and opens a signalfd(2) for them: a descriptor, or a negative errno. */
int mzr_signals_open(void);

/* The next signal's number; 0 if there is none. */
int mzr_signals_read(int descriptor);

/* Opens an rtnetlink(7) socket for what changes of interfaces, their addresses, qdiscs and filters, of routes
 * and rules in the calling thread's network namespace, or a negative errno. */
int mzr_links_open(void);

/* Reads what there is; whether any of it may concern us (a lost message may). */
bool mzr_links_drain(int descriptor);

#endif /* MZR_WAIT_H */
