/* Publisher and receivers of the fan-out benchmark in one process, so that the load costs one core and not two.
 *
 * loadgen SUBSCRIBE_PORT PUBLISH_PORT CLIENTS STALLED line|resp WINDOW FILL_LINES FILL_SECONDS RATE RATE_SECONDS
 *
 * CLIENTS connections receive; STALLED more subscribe and never read. First comes the fill: lines as fast as WINDOW
 * (lines sent and not yet received by everyone) lets them out, until FILL_LINES are sent or FILL_SECONDS have passed
 * (0: no such bound; both 0: no fill). Then RATE lines a second for RATE_SECONDS, each with its time of sending.
 * Prints one line of JSON. Every client must get every line in order: the total is counted by bytes, and the sequence
 * number of the first whole line in each block read is checked. `resp` speaks to Redis. benchmarks/loadgen.py is the
 * same in Python, for machines without a C compiler.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { BODY = 63, SEQUENCE_AT = 2, SEQUENCE_DIGITS = 12, TIME_AT = 15, TIME_DIGITS = 19, BLOCK_LINES = 1024 };
enum { PATIENCE_S = 20, MAX_FRAME = 160, READ_BYTES = 1 << 18 };

static const char *PUBLISH = "*3\r\n$7\r\nPUBLISH\r\n$6\r\nEvents\r\n$63\r\n";
static const char *MESSAGE = "*3\r\n$7\r\nmessage\r\n$6\r\nEvents\r\n$63\r\n";
static const char *SUBSCRIBE = "*2\r\n$9\r\nSUBSCRIBE\r\n$6\r\nEvents\r\n";
static const char *SUBSCRIBED = "*3\r\n$9\r\nsubscribe\r\n$6\r\nEvents\r\n:1\r\n";

struct client { int fd; uint64_t bytes; int64_t last; };

static struct client *clients;
static int client_count, epoll_fd, publisher, resp;
static uint64_t received_bytes, lines_sent;
static const char *in_prefix = "", *out_prefix = "", *suffix = "\n";
static size_t in_head, in_frame, out_head, out_frame;
static char out[BLOCK_LINES * MAX_FRAME], in[READ_BYTES];
static size_t out_from, out_to;
static uint32_t publisher_events;
static double *samples;
static size_t sample_count, sample_room;

static int64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static void fail(const char *what)
{
    fprintf(stderr, "loadgen: %s (errno: %s)\n", what, strerror(errno));
    exit(3);
}

static int dial(int port, int small)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int64_t until = now_ns() + PATIENCE_S * 1000000000LL;
    for (;;) {
        int one = 1, bytes = 4096, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (fd < 0) fail("no socket");
        if (small) setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof bytes);
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        if (connect(fd, (struct sockaddr *)&to, sizeof to) == 0) return fd;
        if (now_ns() > until) fail("the server does not answer");
        close(fd);
        usleep(20000);
    }
}

static void subscribe(int fd)
{
    char reply[64];
    size_t wanted = strlen(SUBSCRIBED), got = 0;
    if (!resp) return;
    if (write(fd, SUBSCRIBE, strlen(SUBSCRIBE)) < 0) fail("cannot subscribe");
    while (got < wanted) {
        ssize_t n = read(fd, reply + got, wanted - got);
        if (n <= 0) fail("no answer to SUBSCRIBE");
        got += n;
    }
    if (memcmp(reply, SUBSCRIBED, wanted)) fail("unexpected answer to SUBSCRIBE");
}

static void digits(char *at, int count, uint64_t value)
{
    while (count--) { at[count] = '0' + value % 10; value /= 10; }
}

static int64_t number(const char *at, int count)
{
    int64_t value = 0;
    while (count--) value = value * 10 + (*at++ - '0');
    return value;
}

static void add_line(char kind, uint64_t sequence)
{
    char *body = out + out_to + out_head;
    memcpy(out + out_to, out_prefix, out_head);
    memset(body, '.', BODY);
    body[0] = kind; body[1] = ' '; body[14] = ' ';
    digits(body + SEQUENCE_AT, SEQUENCE_DIGITS, sequence);
    digits(body + TIME_AT, TIME_DIGITS, now_ns());
    memcpy(body + BODY, suffix, strlen(suffix));
    out_to += out_frame;
}

static void flush_out(void)
{
    while (out_from < out_to) {
        ssize_t n = send(publisher, out + out_from, out_to - out_from, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) break;
        if (n < 0) fail("the server closed the publisher's connection");
        out_from += n;
    }
    if (out_from == out_to) out_from = out_to = 0;
    uint32_t wanted = EPOLLIN | (out_to ? EPOLLOUT : 0);
    if (wanted != publisher_events) {
        struct epoll_event event = {.events = wanted, .data.ptr = NULL};
        epoll_ctl(epoll_fd, EPOLL_CTL_MOD, publisher, &event);
        publisher_events = wanted;
    }
}

/* Reads what a client has; `every`: look at each line (kind is then 'S' or 'D'), else at the first whole one only. */
static void receive(struct client *c, char kind, int every)
{
    ssize_t n = recv(c->fd, in, sizeof in, MSG_DONTWAIT);
    if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) return;
    if (n <= 0) fail("a healthy client was cut by the server");
    int64_t now = every ? now_ns() : 0;
    size_t at = (in_frame - c->bytes % in_frame) % in_frame;
    for (; at + in_head + TIME_AT + TIME_DIGITS <= (size_t)n; at += in_frame) {
        const char *body = in + at + in_head;
        if (body[0] != kind || memcmp(in + at, in_prefix, in_head)) fail("a line arrived garbled");
        c->last = number(body + SEQUENCE_AT, SEQUENCE_DIGITS);
        if (kind == 'D' && (uint64_t)c->last != (c->bytes + at) / in_frame) fail("a line arrived out of order");
        if (!every) break;
        if (kind == 'D' && sample_count < sample_room)
            samples[sample_count++] = (now - number(body + TIME_AT, TIME_DIGITS)) / 1e3;
    }
    c->bytes += n;
    received_bytes += n;
}

static void poll_all(int timeout_ms, char kind, int every)
{
    static struct epoll_event events[1024];
    int count = epoll_wait(epoll_fd, events, 1024, timeout_ms);
    for (int i = 0; i < count; i++) {
        struct client *c = events[i].data.ptr;
        if (c) { receive(c, kind, every); continue; }
        if (events[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR)) {
            ssize_t n = recv(publisher, in, sizeof in, MSG_DONTWAIT);
            if (n == 0 || (n < 0 && errno != EAGAIN)) fail("the server closed the publisher's connection");
        }
        if (out_to) flush_out();
    }
}

/* Connected is not yet subscribed: publish until every client has got the newest line, then count from there. */
static void synchronise(void)
{
    int64_t until = now_ns() + PATIENCE_S * 1000000000LL;
    for (int64_t round = 0;; round++) {
        int64_t next = now_ns() + 50000000LL * (round < 5 ? 1 : 4);
        add_line('S', round);
        flush_out();
        while (now_ns() < next) {
            int ready = 0;
            poll_all(5, 'S', 1);
            for (int i = 0; i < client_count; i++) ready += clients[i].last == round && clients[i].bytes % in_frame == 0;
            if (ready == client_count) {
                for (int i = 0; i < client_count; i++) clients[i].bytes = 0;
                received_bytes = 0;
                return;
            }
        }
        if (now_ns() > until) fail("not every client was subscribed in time");
    }
}

static void drain(char kind, int every)
{
    uint64_t wanted = lines_sent * client_count * in_frame, before = received_bytes;
    int64_t until = now_ns() + PATIENCE_S * 1000000000LL;
    while (received_bytes < wanted) {
        poll_all(100, kind, every);
        if (received_bytes != before) { before = received_bytes; until = now_ns() + PATIENCE_S * 1000000000LL; }
        if (now_ns() > until) fail("lines are missing");
    }
    if (received_bytes > wanted) fail("more lines arrived than were sent");
}

static int64_t fill(uint64_t lines, int64_t fill_ns, uint64_t window)
{
    int64_t started = now_ns(), moved = started;
    uint64_t before = 0;
    while ((!lines || lines_sent < lines) && (!fill_ns || now_ns() - started < fill_ns)) {
        uint64_t arrived = received_bytes / in_frame / client_count;
        uint64_t room = lines_sent - arrived < window ? window - (lines_sent - arrived) : 0;
        if (room < window / 4) room = 0; /* else each block read would let one line out, and nothing be joined */
        if (lines && room > lines - lines_sent) room = lines - lines_sent;
        if (room && !out_to) {
            for (int i = 0; i < BLOCK_LINES && room; i++, room--) add_line('D', lines_sent++);
            flush_out();
        }
        poll_all(room && !out_to ? 0 : 100, 'D', 0);
        if (received_bytes != before) { before = received_bytes; moved = now_ns(); }
        if (now_ns() - moved > PATIENCE_S * 1000000000LL) fail("no line arrives any more");
    }
    while (out_to) poll_all(100, 'D', 0);
    drain('D', 0);
    return now_ns() - started;
}

static void at_rate(double rate, double seconds)
{
    uint64_t lines = rate * seconds;
    int64_t started = now_ns() + 1000000;
    for (uint64_t i = 0; i < lines; i++) {
        int64_t due = started + (int64_t)(i * 1e9 / rate), left;
        uint64_t sent = lines_sent * client_count * in_frame;
        /* Never asleep while a line is on its way: a server would pay for waking us at each of its writes, the more
         * often the slower it is, which a client on another machine costs nobody. */
        while ((left = due - now_ns()) > 0)
            poll_all(received_bytes == sent && left > 2000000 ? (int)(left / 1000000) - 1 : 0, 'D', 1);
        add_line('D', lines_sent++);
        flush_out();
    }
    drain('D', 1);
}

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

int main(int argc, char **argv)
{
    if (argc != 11) { fprintf(stderr, "see the head of loadgen.c\n"); return 2; }
    int subscribe_port = atoi(argv[1]), publish_port = atoi(argv[2]), stalled = atoi(argv[4]);
    uint64_t window = atoll(argv[6]), fill_lines = atoll(argv[7]);
    double fill_s = atof(argv[8]), rate = atof(argv[9]), rate_s = atof(argv[10]);
    struct rlimit files;
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
    client_count = atoi(argv[3]);
    resp = !strcmp(argv[5], "resp");
    if (resp) { in_prefix = MESSAGE; out_prefix = PUBLISH; suffix = "\r\n"; }
    in_head = strlen(in_prefix); out_head = strlen(out_prefix);
    in_frame = in_head + BODY + strlen(suffix); out_frame = out_head + BODY + strlen(suffix);
    sample_room = (size_t)(rate * rate_s * client_count) + 1;
    clients = calloc(client_count, sizeof *clients);
    samples = calloc(sample_room, sizeof *samples);
    epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    for (int i = 0; i < stalled; i++) subscribe(dial(subscribe_port, 1));
    for (int i = 0; i < client_count; i++) {
        struct epoll_event event = {.events = EPOLLIN, .data.ptr = &clients[i]};
        clients[i] = (struct client){.fd = dial(subscribe_port, 0), .last = -1};
        subscribe(clients[i].fd);
        epoll_ctl(epoll_fd, EPOLL_CTL_ADD, clients[i].fd, &event);
    }
    publisher = dial(publish_port, 0);
    publisher_events = EPOLLIN;
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = NULL};
    epoll_ctl(epoll_fd, EPOLL_CTL_ADD, publisher, &event);
    synchronise();
    int64_t took = fill_lines || fill_s > 0 ? fill(fill_lines, (int64_t)(fill_s * 1e9), window) : 0;
    uint64_t filled = received_bytes / in_frame;
    if (rate > 0) at_rate(rate, rate_s);
    qsort(samples, sample_count, sizeof *samples, ascending);
    printf("{\"lines\": %llu, \"deliveries\": %llu, \"filled\": %llu, \"fill_s\": %.6f, \"samples\": %zu, "
           "\"p50_us\": %.1f, \"p99_us\": %.1f}\n",
           (unsigned long long)lines_sent, (unsigned long long)(received_bytes / in_frame), (unsigned long long)filled,
           took / 1e9, sample_count, sample_count ? samples[sample_count / 2] : 0,
           sample_count ? samples[(size_t)(sample_count * 0.99)] : 0);
    return 0;
}
