/* A load of G.711 calls for a media relay, in C because a generator in Python ends at some 300 calls a core.
 *
 * What it is: the process of tests/support/rtp_load.py, with its lines in and out: `rtp_load CALLS SECONDS` binds two
 * ports per call, prints them as JSON, reads where each shall send, sends 50 packets a second from every port, evenly
 * spread, and prints as JSON what came: counts per direction and percentiles of the delay. The sending time is in the
 * payload, the time of arrival is the kernel's (SO_TIMESTAMPNS). What it is not: pinned to a core; who starts it does
 * that. Built and started by tools/bench_media.py. */

#define _GNU_SOURCE
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>

enum { PER_SECOND = 50, SIZE = 172, BATCH = 256 };
#define BILLION 1000000000LL
static const int64_t TAIL = 600000000LL; /* after the last packet: what has not come by then is lost */

static const int64_t STEP = 200000LL; /* a timer costs more than the packets it wakes us for: some go together */

struct side {
    int socket;
    uint32_t sent, received;
    int64_t last, longest_gap;
};
struct list {
    int64_t *values;
    size_t used, room;
};

static int64_t now_of(clockid_t clock) {
    struct timespec time;
    clock_gettime(clock, &time);
    return time.tv_sec * BILLION + time.tv_nsec;
}

static void need(int fine, const char *what) {
    if (!fine) {
        perror(what);
        exit(1);
    }
}

static void append(struct list *list, int64_t value) {
    if (list->used == list->room) {
        list->room = list->room ? 2 * list->room : 4096;
        list->values = realloc(list->values, list->room * sizeof(int64_t));
        need(list->values != NULL, "realloc");
    }
    list->values[list->used++] = value;
}

static int ascending(const void *left, const void *right) {
    int64_t a = *(const int64_t *)left, b = *(const int64_t *)right;
    return a < b ? -1 : a > b;
}

static double percentile_ms(struct list *list, double share) {
    if (!list->used) return 0.0;
    qsort(list->values, list->used, sizeof(int64_t), ascending);
    size_t place = (size_t)(list->used * share);
    return list->values[place < list->used ? place : list->used - 1] / 1e6;
}

static int open_side(void) {
    int opened = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0), on = 1;
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    need(opened >= 0, "socket");
    need(!setsockopt(opened, SOL_SOCKET, SO_TIMESTAMPNS, &on, sizeof on), "SO_TIMESTAMPNS");
    need(!bind(opened, (struct sockaddr *)&address, sizeof address), "bind");
    return opened;
}

static int port_of(int opened) {
    struct sockaddr_in address;
    socklen_t length = sizeof address;
    need(!getsockname(opened, (struct sockaddr *)&address, &length), "getsockname");
    return ntohs(address.sin_port);
}

static void send_one(struct side *side, uint32_t ssrc) {
    unsigned char packet[SIZE];
    uint32_t number = side->sent++, stamp = htonl(number * 160), source = htonl(ssrc);
    uint16_t sequence = htons(number & 0xFFFF);
    memset(packet, 0xFF, SIZE);
    packet[0] = 0x80;
    packet[1] = 0;
    memcpy(packet + 2, &sequence, 2);
    memcpy(packet + 4, &stamp, 4);
    memcpy(packet + 8, &source, 4);
    int64_t sent_at = now_of(CLOCK_REALTIME);
    memcpy(packet + 12, &sent_at, 8);
    send(side->socket, packet, SIZE, 0); /* refused: counted as lost at the other end */
}

static int receive_one(struct side *side, struct list *delays) {
    unsigned char packet[2048], control[128];
    struct iovec vector = {packet, sizeof packet};
    struct msghdr message = {.msg_iov = &vector, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
    ssize_t size = recvmsg(side->socket, &message, 0);
    struct cmsghdr *head = CMSG_FIRSTHDR(&message);
    if (size < 20 || !head) return 0;
    struct timespec stamp;
    memcpy(&stamp, CMSG_DATA(head), sizeof stamp);
    int64_t came = stamp.tv_sec * BILLION + stamp.tv_nsec, sent_at;
    memcpy(&sent_at, packet + 12, 8);
    append(delays, came - sent_at);
    if (side->last && came - side->last > side->longest_gap) side->longest_gap = came - side->last;
    side->last = came;
    side->received++;
    return 1;
}

static void run(struct side *sides, int count, int seconds, struct list *delays) {
    int poller = epoll_create1(0);
    need(poller >= 0, "epoll");
    for (int index = 0; index < count; index++) {
        struct epoll_event wanted = {.events = EPOLLIN, .data.u32 = index};
        need(!epoll_ctl(poller, EPOLL_CTL_ADD, sides[index].socket, &wanted), "epoll_ctl");
    }
    int64_t total = (int64_t)seconds * PER_SECOND * count, sent = 0;
    int64_t length = seconds * BILLION, started = now_of(CLOCK_MONOTONIC) + BILLION / 20, elapsed;
    while ((elapsed = now_of(CLOCK_MONOTONIC) - started) < length + TAIL) {
        int64_t due = elapsed < 0 ? 0 : (int64_t)((double)elapsed * total / length) + 1;
        for (int burst = 0; sent < due && sent < total && burst < 64; burst++, sent++)
            send_one(&sides[sent % count], 0x10000 + sent % count);
        int64_t pause = sent < total ? (int64_t)((double)sent * length / total) - elapsed : BILLION / 1000;
        struct timespec timeout = {0, pause < STEP ? STEP : pause > 1000000 ? 1000000 : pause};
        struct epoll_event ready[BATCH];
        int second = elapsed < 0 ? 0 : (int)(elapsed / BILLION), found = epoll_pwait2(poller, ready, BATCH, &timeout, NULL);
        for (int index = 0; index < found; index++)
            while (receive_one(&sides[ready[index].data.u32], &delays[second < seconds ? second : seconds])) {}
    }
}

static void print_result(struct side *sides, int count, int seconds, struct list *delays) {
    struct list all = {0}, middles = {0};
    int64_t longest = 0;
    for (int second = 0; second <= seconds; second++) {
        for (size_t index = 0; index < delays[second].used; index++) append(&all, delays[second].values[index]);
        if (second < seconds && delays[second].used) append(&middles, percentile_ms(&delays[second], 0.99) * 1e6);
    }
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    for (int kind = 0; kind < 2; kind++) {
        printf(kind ? ", \"received\": [" : "{\"sent\": [");
        for (int index = 0; index < count; index++)
            printf("%s%u", index ? ", " : "", kind ? sides[index].received : sides[index].sent);
        printf("]");
    }
    for (int index = 0; index < count; index++)
        if (sides[index].longest_gap > longest) longest = sides[index].longest_gap;
    printf(", \"longest_gap_ms\": %.3f, \"p50_ms\": %.4f, \"p99_ms\": %.4f, \"max_ms\": %.4f, \"steady_p99_ms\": %.4f}\n",
           longest / 1e6, percentile_ms(&all, 0.5), percentile_ms(&all, 0.99), percentile_ms(&all, 1.0),
           percentile_ms(&middles, 0.5));
}

int main(int argc, char **argv) {
    need(argc == 3, "usage: rtp_load CALLS SECONDS");
    int count = 2 * atoi(argv[1]), seconds = atoi(argv[2]);
    struct rlimit limit;
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    struct sched_param priority = {.sched_priority = 2};
    sched_setscheduler(0, SCHED_RR, &priority); /* a sender interrupted between clock and send invents delay */
    struct side *sides = calloc(count, sizeof *sides);
    struct list *delays = calloc(seconds + 1, sizeof *delays);
    need(sides && delays, "calloc");
    for (int index = 0; index < count; index++) {
        sides[index].socket = open_side();
        printf("%s%d", index ? ", " : "[", port_of(sides[index].socket));
    }
    printf("]\n");
    fflush(stdout);
    for (int index = 0; index < count; index++) {
        int port;
        if (scanf("%*[^0-9]") == EOF || scanf("%d", &port) != 1) return 1;
        struct sockaddr_in far = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK), .sin_port = htons(port)};
        need(!connect(sides[index].socket, (struct sockaddr *)&far, sizeof far), "connect");
    }
    run(sides, count, seconds, delays);
    print_result(sides, count, seconds, delays);
    return 0;
}
