/* A flood of SIP from strangers, in C because 40,000 datagrams a second are more than one of Python sends beside others.
 *
 * What it is: `sip_flood PORT SECONDS MALFORMED WELL_FORMED SOURCES` sends so many datagrams a second of either kind to
 * 127.0.0.1:PORT, in turns from as many addresses (127.0.1.1 and on), and prints as JSON how many left, in how many
 * seconds, and how many were answered. With SOURCES 0 each comes from an address of its own (127.16.0.0 and on), but one
 * malformed one in FORGED, which is from 127.0.0.1, as if it were the good calls' trunk's. What it is not: pinned to a core; who starts it does that. Built and started by
 * tools/sip_flood.py. */

#define _GNU_SOURCE
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <time.h>

enum { MOST_SOURCES = 250, MOST = 512, SIZE = 700, FORGED = 256 };
#define BILLION 1000000000LL
static const int64_t STEP = 1000000LL; /* what is due within a millisecond goes together */

static const char *const MALFORMED[] = {
    "INVITE", "\r\n\r\n\r\n", "SIP/2.0 200 OK\r\n\r\n", "INVITE sip:a SIP/7.0\r\nVia: SIP/2.0/UDP 1\r\n\r\n",
    "BYE sip:a SIP/2.0\r\nVia: ;;;;\r\nFrom: <<<\r\nCSeq: 99999999999999 BYE\r\nContent-Length: -1\r\n\r\n",
    "\x01\x02\x03\x04GET / HTTP/1.1\r\nHost: a\r\n\r\n",
};
static const char *const METHODS[] = {"INVITE", "REGISTER", "OPTIONS", "BYE", "MESSAGE"};
static const char *const WELL_FORMED =
    "%s sip:1%04u@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:5060;rport;branch=z9hG4bK%u\r\nMax-Forwards: 70\r\n"
    "From: <sip:100@127.0.0.1>;tag=%u\r\nTo: <sip:1%04u@127.0.0.1>\r\nCall-ID: %u@flood\r\nCSeq: 1 %s\r\n"
    "Contact: <sip:100@127.0.0.1>\r\nAuthorization: Digest username=\"100\",realm=\"a\",nonce=\"b\",uri=\"sip:a\","
    "response=\"0123456789abcdef0123456789abcdef\"\r\nUser-Agent: friendly-scanner\r\nContent-Length: 0\r\n\r\n";

static char texts[MOST][SIZE];
static struct iovec parts[MOST];
static struct mmsghdr messages[MOST];
static union {
    char room[CMSG_SPACE(sizeof(struct in_pktinfo))];
    struct cmsghdr first;
} whence[MOST];

static int64_t now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec * BILLION + time.tv_nsec;
}

static void need(int fine, const char *what) {
    if (!fine) {
        perror(what);
        exit(1);
    }
}

static int opened(uint32_t address) {
    struct sockaddr_in own = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(address)};
    int found = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
    need(found >= 0, "socket");
    need(bind(found, (struct sockaddr *)&own, sizeof own) == 0, "bind");
    return found;
}

static size_t write_one(char *text, uint32_t number, int is_malformed) {
    if (is_malformed)
        return (size_t)snprintf(text, SIZE, "%s", MALFORMED[number % (sizeof MALFORMED / sizeof *MALFORMED)]);
    const char *method = METHODS[number % (sizeof METHODS / sizeof *METHODS)];
    return (size_t)snprintf(text, SIZE, WELL_FORMED, method, number % 10000, number, number, number % 10000, number,
                            method);
}

/* Any address of 127/8 is this machine's own. */
static void send_from(int at, uint32_t address) {
    struct in_pktinfo *info = (struct in_pktinfo *)CMSG_DATA(&whence[at].first);
    memset(&whence[at], 0, sizeof whence[at]);
    whence[at].first.cmsg_len = CMSG_LEN(sizeof *info);
    whence[at].first.cmsg_level = IPPROTO_IP;
    whence[at].first.cmsg_type = IP_PKTINFO;
    info->ipi_spec_dst.s_addr = htonl(address);
    messages[at].msg_hdr.msg_control = whence[at].room;
    messages[at].msg_hdr.msg_controllen = sizeof whence[at].room;
}

static int64_t answered(int socket) {
    char text[SIZE];
    int64_t found = 0;
    while (recv(socket, text, sizeof text, 0) >= 0) found++;
    return found;
}

int main(int count, char **values) {
    need(count == 6, "sip_flood PORT SECONDS MALFORMED WELL_FORMED SOURCES");
    struct sockaddr_in target = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(values[1]))};
    target.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    double seconds = atof(values[2]);
    int64_t malformed = atoll(values[3]), rate = malformed + atoll(values[4]);
    int sources = atoi(values[5]), sockets[MOST_SOURCES];
    need(sources >= 0 && sources <= MOST_SOURCES && rate > 0, "arguments");
    int ever_new = sources == 0;
    sources = ever_new ? 1 : sources;
    for (int source = 0; source < sources; source++)
        sockets[source] = opened(ever_new ? INADDR_ANY : 0x7f000101U + (uint32_t)source);
    for (int at = 0; at < MOST; at++) {
        parts[at].iov_base = texts[at];
        messages[at].msg_hdr = (struct msghdr){
            .msg_iov = &parts[at], .msg_iovlen = 1, .msg_name = &target, .msg_namelen = sizeof target};
    }
    int64_t begun = now(), end = begun + (int64_t)(seconds * BILLION), sent = 0, refused = 0, back = 0;
    int turn = 0;
    for (int64_t at = begun; at < end; at = now()) {
        int64_t due = (int64_t)((double)(at - begun) * (double)rate / BILLION) - sent - refused;
        if (due > MOST) due = MOST;
        for (int64_t one = 0; one < due; one++) {
            uint32_t number = (uint32_t)(sent + refused + one);
            int forged = ever_new && number % FORGED == 0;
            parts[one].iov_len =
                write_one(texts[one], number, forged || (int64_t)(number * 2654435761U >> 12) % rate < malformed);
            if (ever_new) send_from((int)one, forged ? INADDR_LOOPBACK : 0x7f100000U + number);
        }
        int left = due > 0 ? sendmmsg(sockets[turn], messages, (unsigned)due, 0) : 0;
        sent += left > 0 ? left : 0;
        refused += due - (left > 0 ? left : 0);
        back += answered(sockets[turn]);
        turn = (turn + 1) % sources;
        int64_t rest = at + STEP - now();
        if (rest > 0) nanosleep(&(struct timespec){.tv_nsec = rest}, NULL);
    }
    double took = (double)(now() - begun) / BILLION;
    for (int source = 0; source < sources; source++) back += answered(sockets[source]);
    printf("{\"sent\": %lld, \"unsent\": %lld, \"seconds\": %.3f, \"answered\": %lld}\n", (long long)sent,
           (long long)refused, took, (long long)back);
    return 0;
}
