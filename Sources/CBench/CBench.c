/* SPDX-License-Identifier: Apache-2.0 */
/* recvmmsg and CPU sets. */
#define _GNU_SOURCE

#include "CBench.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <netinet/ip_icmp.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

uint64_t bench_now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (uint64_t)time.tv_sec * 1000000000 + (uint64_t)time.tv_nsec;
}

static cpu_set_t set_of(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	for (int i = 0; i < CPU_SETSIZE; i++)
		if (cpu < 0 || i == cpu)
			CPU_SET(i, &set);
	return set;
}

int bench_pin(int cpu)
{
	cpu_set_t set = set_of(cpu);

	return sched_setaffinity(0, sizeof(set), &set) ? -errno : 0;
}

static struct sockaddr_in place(uint32_t address, uint16_t port)
{
	return (struct sockaddr_in){
		.sin_family = AF_INET, .sin_port = htons(port), .sin_addr = {htonl(address)}};
}

/* MARK: Datagrams */

#define BATCH 64

struct receiver {
	int socket;
	_Atomic uint64_t count;
	_Atomic int stopped;
};

static void *receive(void *argument)
{
	struct receiver *receiver = argument;
	static _Thread_local char bytes[BATCH][2048];
	struct mmsghdr messages[BATCH] = {0};
	struct iovec parts[BATCH];

	for (int i = 0; i < BATCH; i++) {
		parts[i] = (struct iovec){bytes[i], sizeof(bytes[i])};
		messages[i].msg_hdr.msg_iov = &parts[i];
		messages[i].msg_hdr.msg_iovlen = 1;
	}
	while (!receiver->stopped) {
		struct pollfd ready = {.fd = receiver->socket, .events = POLLIN};

		if (poll(&ready, 1, 10) <= 0)
			continue;
		int count = recvmmsg(receiver->socket, messages, BATCH, MSG_DONTWAIT, NULL);
		if (count > 0)
			receiver->count += (uint64_t)count;
	}
	return NULL;
}

int bench_udp(int sender, int receiver, uint32_t address, uint16_t port, size_t size, uint32_t milliseconds,
	      struct bench_udp_result *result)
{
	struct sockaddr_in to = place(address, port);
	struct receiver receiving = {.socket = receiver};
	char bytes[1500] = {0};
	pthread_t thread;

	if (size > sizeof(bytes))
		return -EMSGSIZE;
	if (bind(receiver, (struct sockaddr *)&to, sizeof(to)) ||
	    connect(sender, (struct sockaddr *)&to, sizeof(to)))
		return -errno;
	int error = pthread_create(&thread, NULL, receive, &receiving);
	if (error)
		return -error;
	/* Fails where there is only one CPU. */
	cpu_set_t other = set_of(1);
	(void)pthread_setaffinity_np(thread, sizeof(other), &other);
	memset(result, 0, sizeof(*result));
	uint64_t start = bench_now(), end = start + (uint64_t)milliseconds * 1000000, time = start;
	while (time < end) {
		for (int i = 0; i < BATCH; i++)
			result->sent += send(sender, bytes, size, 0) == (ssize_t)size;
		time = bench_now();
	}
	result->received = receiving.count;
	result->nanoseconds = time - start;
	receiving.stopped = 1;
	pthread_join(thread, NULL);
	return 0;
}

/* MARK: Round trips */

static void *echo(void *argument)
{
	int connection = *(int *)argument;
	char byte;

	while (recv(connection, &byte, 1, 0) == 1)
		if (send(connection, &byte, 1, MSG_NOSIGNAL) != 1)
			break;
	return NULL;
}

long bench_round_trips(int client, int server, uint32_t address, uint16_t port, uint32_t milliseconds,
		       uint32_t *turns, size_t capacity)
{
	struct sockaddr_in to = place(address, port);
	const struct timeval patience = {.tv_sec = 5};
	const int on = 1;
	pthread_t thread;
	long count = 0;

	setsockopt(server, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	setsockopt(client, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
	setsockopt(client, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	if (bind(server, (struct sockaddr *)&to, sizeof(to)) || listen(server, 1) ||
	    connect(client, (struct sockaddr *)&to, sizeof(to)))
		return -errno;
	int connection = accept(server, NULL, NULL);
	if (connection < 0)
		return -errno;
	setsockopt(client, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	setsockopt(connection, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	int error = pthread_create(&thread, NULL, echo, &connection);
	if (error) {
		close(connection);
		return -error;
	}
	uint64_t start = bench_now(), end = start + (uint64_t)milliseconds * 1000000, time = start;
	while (time < end && (size_t)count < capacity) {
		char byte = 0;

		if (send(client, &byte, 1, MSG_NOSIGNAL) != 1 || recv(client, &byte, 1, 0) != 1) {
			count = -errno;
			break;
		}
		uint64_t now = bench_now();
		turns[count++] = (uint32_t)(now - time);
		time = now;
	}
	shutdown(client, SHUT_RDWR);
	pthread_join(thread, NULL);
	close(connection);
	return count;
}

/* MARK: The first answer */

static uint16_t checksum(const uint16_t *words, size_t count)
{
	uint32_t sum = 0;

	for (size_t i = 0; i < count; i++)
		sum += words[i];
	sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t) ~(sum + (sum >> 16));
}

int bench_first_answer(int socket, uint32_t address, uint32_t interval, uint32_t milliseconds, uint64_t *when)
{
	struct sockaddr_in to = place(address, 0);
	uint64_t end = bench_now() + (uint64_t)milliseconds * 1000000, next = 0;
	uint16_t id = (uint16_t)getpid();

	for (;;) {
		uint64_t now = bench_now();
		struct pollfd ready = {.fd = socket, .events = POLLIN};
		struct timespec wait = {0};

		if (now >= end)
			return -ETIMEDOUT;
		if (now >= next) {
			struct icmphdr request = {.type = ICMP_ECHO, .un.echo = {.id = id}};

			request.checksum = checksum((uint16_t *)&request, sizeof(request) / 2);
			/* Refused until the neighbour answers: the next one may go. */
			(void)sendto(socket, &request, sizeof(request), MSG_DONTWAIT, (struct sockaddr *)&to,
				     sizeof(to));
			next = now + (uint64_t)interval * 1000;
		}
		wait.tv_nsec = (long)(next - now);
		if (ppoll(&ready, 1, &wait, NULL) <= 0)
			continue;
		uint8_t bytes[256];
		ssize_t size = recv(socket, bytes, sizeof(bytes), MSG_DONTWAIT);
		const struct iphdr *ip = (const struct iphdr *)bytes;
		const struct icmphdr *answer = (const struct icmphdr *)(bytes + sizeof(*ip));

		if (size < (ssize_t)(sizeof(*ip) + sizeof(*answer)) || ip->saddr != htonl(address) ||
		    answer->type != ICMP_ECHOREPLY || answer->un.echo.id != id)
			continue;
		*when = bench_now();
		return 0;
	}
}
