/* SPDX-License-Identifier: Apache-2.0 */
/* The loops of `make bench` that send, receive and wait: C, so that they cost the same for every contender.
 */
#ifndef CBENCH_H
#define CBENCH_H

#include <stddef.h>
#include <stdint.h>

/* CLOCK_MONOTONIC in nanoseconds. */
uint64_t bench_now(void);

/* Keeps the calling thread on one CPU; -1: on any again. 0, or a negative errno. */
int bench_pin(int cpu);

struct bench_udp_result {
	uint64_t sent;
	uint64_t received;
	uint64_t nanoseconds;
};

/*
 * Sends datagrams of `size` bytes from one UDP socket as fast as it goes, and counts those that another
 * receives, for `milliseconds`. `address` (host byte order) is the receiver's, which listens at `port`. Each
 * socket stays in the network namespace that it was opened in. The sender is on CPU 0, the receiver on CPU 1.
 * 0, or a negative errno.
 */
int bench_udp(int sender, int receiver, uint32_t address, uint16_t port, size_t size, uint32_t milliseconds,
	      struct bench_udp_result *result);

/*
 * One byte there and back over TCP, again and again for `milliseconds`: the nanoseconds of each turn,
 * `capacity` of them at most. How many, or a negative errno. Both are stream sockets, not connected;
 * `address` and `port` are the server's. Client and server are on CPU 0: what is measured is the way, not how
 * long another CPU takes to wake up.
 */
long bench_round_trips(int client, int server, uint32_t address, uint16_t port, uint32_t milliseconds,
		       uint32_t *turns, size_t capacity);

/*
 * Sends echo requests to `address` from a raw ICMP socket, one every `interval` microseconds, until one is
 * answered. Gives when that was, by bench_now. 0, -ETIMEDOUT after `milliseconds`, or a negative errno.
 */
int bench_first_answer(int socket, uint32_t address, uint32_t interval, uint32_t milliseconds,
		       uint64_t *when);

#endif /* CBENCH_H */
