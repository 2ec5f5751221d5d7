/* floor.c: the yardstick of the benchmarks. The best recipe known for wiring containers, in plain C, with the guarantees
 * that netlinkpy gives: never create-then-move, the second datagram only after the first succeeded, a private group until
 * a link is finished, no address given twice, the bridge's MAC pinned, ready for the first packet on return, every refusal noticed.
 *
 * Works inside the network namespace the caller has made for it (it makes bridges there), and prints one line of JSON.
 *     unshare -n -m --propagation private ./floor attach 200
 * Build: gcc -O2 -Wall -Wextra -Werror -pthread -o floor floor.c
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_addr.h>
#include <linux/if_bridge.h>
#include <linux/if_link.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum {
    MAX_CONTAINERS = 10000,
    MAX_BRIDGES = 64,
    PORTS_PER_BRIDGE = 1023,   /* BR_MAX_PORTS - 1 */
    BUFFER = 65536,            /* no netlink datagram of the kernel is longer than 32 KiB */
    OPEN_SOCKETS = 4096,       /* inside namespaces, at a time */
    LINK_CHUNK = 256,          /* the default receive buffer holds 256 error messages */
    ROUTE_CHUNK = 512,
    DEADLINE_MS = 30000,
};

static void die(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    fputs("floor: ", stderr);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
    va_end(arguments);
    exit(1);
}

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec + t.tv_nsec * 1e-9;
}

/* ---- Messages: bounded put functions into one buffer ------------------------------------------------------------- */

struct batch {
    size_t used;
    size_t message;            /* where the message being written begins */
    uint32_t sequence;         /* of the last message */
    uint8_t bytes[BUFFER];
};

static void *put(struct batch *b, const void *data, size_t length)
{
    size_t padded = NLMSG_ALIGN(length);
    if (padded > BUFFER - b->used)
        die("a batch is larger than its buffer");
    void *place = b->bytes + b->used;
    memset(place, 0, padded);
    if (data)
        memcpy(place, data, length);
    b->used += padded;
    return place;
}

static void batch_clear(struct batch *b)
{
    b->used = 0;
}

static void message(struct batch *b, uint16_t type, uint16_t flags, const void *body, size_t length)
{
    b->message = b->used;
    struct nlmsghdr header = {.nlmsg_type = type, .nlmsg_flags = NLM_F_REQUEST | flags, .nlmsg_seq = ++b->sequence};
    put(b, &header, sizeof header);
    put(b, body, length);
}

static void message_end(struct batch *b)
{
    ((struct nlmsghdr *)(b->bytes + b->message))->nlmsg_len = b->used - b->message;
}

static void attribute(struct batch *b, uint16_t type, const void *data, size_t length)
{
    struct rtattr header = {.rta_type = type, .rta_len = RTA_LENGTH(length)};
    put(b, &header, sizeof header);
    put(b, data, length);
}

static void attribute_u32(struct batch *b, uint16_t type, uint32_t value)
{
    attribute(b, type, &value, sizeof value);
}

static void attribute_string(struct batch *b, uint16_t type, const char *text)
{
    attribute(b, type, text, strlen(text) + 1);
}

static size_t nest(struct batch *b, uint16_t type)
{
    size_t start = b->used;
    attribute(b, type, NULL, 0);
    return start;
}

static void nest_end(struct batch *b, size_t start)
{
    ((struct rtattr *)(b->bytes + start))->rta_len = b->used - start;
}

static const struct rtattr *find(const void *attributes, size_t length, uint16_t type)
{
    for (const struct rtattr *a = attributes; RTA_OK(a, length); a = RTA_NEXT(a, length))
        if ((a->rta_type & NLA_TYPE_MASK) == type)
            return a;
    return NULL;
}

static const struct rtattr *find_in(const struct rtattr *outer, uint16_t type)
{
    return outer ? find(RTA_DATA(outer), RTA_PAYLOAD(outer), type) : NULL;
}

static uint32_t value_u32(const struct rtattr *a)
{
    uint32_t value = 0;
    if (a && RTA_PAYLOAD(a) >= sizeof value)
        memcpy(&value, RTA_DATA(a), sizeof value);
    return value;
}

static uint8_t value_u8(const struct rtattr *a)
{
    return a && RTA_PAYLOAD(a) >= 1 ? *(const uint8_t *)RTA_DATA(a) : 0;
}

/* ---- Sockets and the conversation -------------------------------------------------------------------------------- */

static void set_option(int fd, int level, int option, int value)
{
    if (setsockopt(fd, level, option, &value, sizeof value))
        die("setsockopt %d: %s", option, strerror(errno));
}

static int open_socket(void)
{
    int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
    if (fd < 0)
        die("socket: %s", strerror(errno));
    set_option(fd, SOL_NETLINK, NETLINK_EXT_ACK, 1);
    set_option(fd, SOL_NETLINK, NETLINK_CAP_ACK, 1);
    set_option(fd, SOL_NETLINK, NETLINK_GET_STRICT_CHK, 1);
    return fd;
}

/* A socket of the host whose port id is a link group nobody else uses: the kernel gives a port id once. */
static int open_private(uint32_t *group)
{
    int fd = open_socket();
    for (int attempt = 0; attempt < 16; attempt++) {
        if (getrandom(group, sizeof *group, 0) != sizeof *group)
            die("getrandom: %s", strerror(errno));
        *group = (*group & 0x3fffffff) | 0x40000000;
        struct sockaddr_nl address = {.nl_family = AF_NETLINK, .nl_pid = *group};
        if (!bind(fd, (struct sockaddr *)&address, sizeof address))
            return fd;
        if (errno != EADDRINUSE)
            die("bind: %s", strerror(errno));
    }
    die("no free port id");
    return -1;
}

static size_t receive(int fd, uint8_t *buffer)
{
    for (;;) {
        ssize_t got = recv(fd, buffer, BUFFER, MSG_DONTWAIT | MSG_TRUNC);
        if (got > BUFFER)
            die("a truncated datagram");
        if (got > 0)
            return got;
        if (got < 0 && errno == EAGAIN) {
            struct pollfd waiting = {.fd = fd, .events = POLLIN};
            if (poll(&waiting, 1, DEADLINE_MS) == 0)
                die("no answer within %d ms", DEADLINE_MS);
        } else if (errno != EINTR) {
            die("recv: %s", strerror(errno));
        }
    }
}

static void send_batch(int fd, const struct batch *b)
{
    struct sockaddr_nl kernel = {.nl_family = AF_NETLINK};
    ssize_t sent;
    do
        sent = sendto(fd, b->bytes, b->used, 0, (struct sockaddr *)&kernel, sizeof kernel);
    while (sent < 0 && errno == EINTR);
    if (sent != (ssize_t)b->used)
        die("send: %s", strerror(errno));
}

/* What a handler gets: every message of the answer but the acks and the dump's end. */
typedef void handler(const struct nlmsghdr *, void *context);

/* Send, and take answers until the last message's ack or its dump's end. Returns the first refusal as an errno, or 0. */
static int exchange(int fd, const struct batch *b, handler *each, void *context)
{
    static uint8_t buffer[BUFFER];
    int refusal = 0;
    send_batch(fd, b);
    for (;;) {
        int left = receive(fd, buffer);
        for (struct nlmsghdr *m = (void *)buffer; NLMSG_OK(m, left); m = NLMSG_NEXT(m, left)) {
            if (m->nlmsg_flags & NLM_F_DUMP_INTR)
                die("the dump was interrupted");
            if (m->nlmsg_type == NLMSG_ERROR || m->nlmsg_type == NLMSG_DONE) {
                int error = *(int *)NLMSG_DATA(m);
                if (error && !refusal)
                    refusal = -error;
                if (m->nlmsg_seq == b->sequence)
                    return refusal;
            } else if (each) {
                each(m, context);
            }
        }
    }
}

static void expect(int fd, const struct batch *b, handler *each, void *context, const char *what)
{
    int refusal = exchange(fd, b, each, context);
    if (refusal)
        die("%s: %s", what, strerror(refusal));
}

static void link_message(struct batch *b, uint16_t type, uint16_t flags, int index, unsigned up)
{
    struct ifinfomsg info = {.ifi_index = index, .ifi_flags = up, .ifi_change = up};
    message(b, type, flags, &info, sizeof info);
}

/* A group message: no index, no NLM_F_CREATE; the kernel applies it to every member. */
static void group_message(struct batch *b, uint32_t group, unsigned up)
{
    link_message(b, RTM_NEWLINK, NLM_F_ACK, 0, up);
    attribute_u32(b, IFLA_GROUP, group);
}

static void address_generation_none(struct batch *b)
{
    uint8_t mode = IN6_ADDR_GEN_MODE_NONE;
    size_t families = nest(b, IFLA_AF_SPEC);
    size_t inet6 = nest(b, AF_INET6);
    attribute(b, IFLA_INET6_ADDR_GEN_MODE, &mode, sizeof mode);
    nest_end(b, inet6);
    nest_end(b, families);
}

static void set_group(struct batch *b, int index, uint32_t group, bool last)
{
    link_message(b, RTM_SETLINK, last ? NLM_F_ACK : 0, index, 0);
    attribute_u32(b, IFLA_GROUP, group);
    message_end(b);
}

/* ---- Namespaces: threads that enter one are thrown away ---------------------------------------------------------- */

static void throw_away(void *(*work)(void *), void *context)
{
    pthread_t thread;
    int error = pthread_create(&thread, NULL, work, context);
    if (error || (error = pthread_join(thread, NULL)))
        die("thread: %s", strerror(error));
}

static int own_namespace(void)
{
    int fd = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);   /* /proc/self is the main thread's */
    if (fd < 0)
        die("/proc/thread-self/ns/net: %s", strerror(errno));
    return fd;
}

static void *make_namespace(void *netns)
{
    if (unshare(CLONE_NEWNET))
        die("unshare: %s", strerror(errno));
    *(int *)netns = own_namespace();
    return NULL;
}

static int enter_and_open(int netns)
{
    if (setns(netns, CLONE_NEWNET))
        die("setns: %s", strerror(errno));
    return open_socket();
}

/* ---- The containers and the host --------------------------------------------------------------------------------- */

struct bridge {
    char name[IFNAMSIZ];
    int index;
    bool up, learning;
    uint8_t mac[6];
    struct in_addr address;
    int fd;                    /* the host socket whose port id is the private group of its new ports */
    uint32_t group;
};

struct container {
    int netns, fd;
    int index, host_index;
    bool running;
    struct bridge *bridge;
    char host_name[IFNAMSIZ];
    uint8_t mac[6];
    struct in_addr address;
};

static struct container containers[MAX_CONTAINERS];
static struct bridge bridges[MAX_BRIDGES];
static int container_count, bridge_count, host_netns, host_fd;
static int late_ports;         /* how many ports did not forward by themselves */
static struct batch batch;

static void see_bridge(const struct nlmsghdr *m, void *context)
{
    struct bridge *bridge = context;
    const struct ifinfomsg *info = NLMSG_DATA(m);
    size_t length = IFLA_PAYLOAD(m);
    const struct rtattr *mac = find(IFLA_RTA(info), length, IFLA_ADDRESS);
    const struct rtattr *link = find(IFLA_RTA(info), length, IFLA_LINKINFO);
    const struct rtattr *kind = find_in(link, IFLA_INFO_KIND);
    if (!kind || strcmp(RTA_DATA(kind), "bridge") || !mac || RTA_PAYLOAD(mac) != 6)
        die("%s is no bridge", bridge->name);
    bridge->index = info->ifi_index;
    bridge->up = info->ifi_flags & IFF_UP;
    bridge->learning = value_u32(find_in(find_in(link, IFLA_INFO_DATA), IFLA_BR_STP_STATE));
    memcpy(bridge->mac, RTA_DATA(mac), 6);
}

static void see_address(const struct nlmsghdr *m, void *context)
{
    const struct ifaddrmsg *info = NLMSG_DATA(m);
    const struct rtattr *local = find(IFA_RTA(info), IFA_PAYLOAD(m), IFA_LOCAL);
    if (local)
        ((struct bridge *)context)->address.s_addr = value_u32(local);
}

/* The bridge by its name, and its address: the containers' gateway. */
static void find_bridge(int fd, struct bridge *bridge)
{
    batch_clear(&batch);
    link_message(&batch, RTM_GETLINK, NLM_F_ACK, 0, 0);
    attribute_string(&batch, IFLA_IFNAME, bridge->name);
    message_end(&batch);
    expect(fd, &batch, see_bridge, bridge, bridge->name);
    if (!bridge->up || bridge->learning)
        die("%s does not forward: it is down, or runs STP", bridge->name);

    struct ifaddrmsg wanted = {.ifa_family = AF_INET, .ifa_index = bridge->index};
    batch_clear(&batch);
    message(&batch, RTM_GETADDR, NLM_F_DUMP, &wanted, sizeof wanted);
    message_end(&batch);
    bridge->address.s_addr = 0;
    expect(fd, &batch, see_address, bridge, "addresses of the bridge");
    if (!bridge->address.s_addr)
        die("%s has no address", bridge->name);
}

/* A group without members says 0 to an address of one byte, one with members EINVAL. */
static void open_bridge(struct bridge *bridge)
{
    uint8_t byte = 0;
    bridge->fd = open_private(&bridge->group);
    batch_clear(&batch);
    group_message(&batch, bridge->group, 0);
    attribute(&batch, IFLA_ADDRESS, &byte, 1);
    message_end(&batch);
    expect(bridge->fd, &batch, NULL, NULL, "the group has members already");
    find_bridge(bridge->fd, bridge);
}

static void make_bridge(int number)
{
    struct bridge *bridge = &bridges[number];
    snprintf(bridge->name, sizeof bridge->name, "br%d", number);
    batch_clear(&batch);
    link_message(&batch, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL | NLM_F_ACK, 0, IFF_UP);
    attribute_string(&batch, IFLA_IFNAME, bridge->name);
    size_t link = nest(&batch, IFLA_LINKINFO);
    attribute_string(&batch, IFLA_INFO_KIND, "bridge");
    nest_end(&batch, link);
    message_end(&batch);
    expect(host_fd, &batch, NULL, NULL, "create of a bridge");

    batch_clear(&batch);
    link_message(&batch, RTM_GETLINK, NLM_F_ACK, 0, 0);
    attribute_string(&batch, IFLA_IFNAME, bridge->name);
    message_end(&batch);
    expect(host_fd, &batch, see_bridge, bridge, bridge->name);

    struct ifaddrmsg info = {.ifa_family = AF_INET, .ifa_prefixlen = 16, .ifa_index = bridge->index};
    uint32_t address = htonl(172u << 24 | (17 + number) << 16 | 42 << 8 | 1);
    batch_clear(&batch);
    message(&batch, RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL | NLM_F_ACK, &info, sizeof info);
    attribute_u32(&batch, IFA_LOCAL, address);
    attribute_u32(&batch, IFA_ADDRESS, address);
    message_end(&batch);
    expect(host_fd, &batch, NULL, NULL, "address of a bridge");
}

static rlim_t descriptors_wanted(void)
{
    return container_count + (container_count < OPEN_SOCKETS ? container_count : OPEN_SOCKETS) + bridge_count + 64;
}

static void allow_descriptors(void)
{
    struct rlimit files;
    if (getrlimit(RLIMIT_NOFILE, &files))
        die("getrlimit: %s", strerror(errno));
    files.rlim_cur = descriptors_wanted();
    if (files.rlim_max < files.rlim_cur)
        files.rlim_max = files.rlim_cur;
    if (setrlimit(RLIMIT_NOFILE, &files))
        die("%ld descriptors: %s", (long)files.rlim_cur, strerror(errno));
}

/* What is ready before the clock starts: the namespaces, the bridges, who goes where. */
static void prepare(int count, int bridges_wanted)
{
    if (count < 1 || count > MAX_CONTAINERS || bridges_wanted < 1 || bridges_wanted > MAX_BRIDGES)
        die("1 to %d containers on 1 to %d bridges", MAX_CONTAINERS, MAX_BRIDGES);
    int per_bridge = (count + bridges_wanted - 1) / bridges_wanted;
    if (per_bridge > PORTS_PER_BRIDGE)
        die("a bridge takes %d ports", PORTS_PER_BRIDGE);
    container_count = count;
    bridge_count = bridges_wanted;
    allow_descriptors();
    host_netns = own_namespace();
    host_fd = open_socket();
    for (int i = 0; i < bridge_count; i++)
        make_bridge(i);
    for (int i = 0; i < count; i++) {
        struct container *c = &containers[i];
        int port = i % per_bridge, number = i / per_bridge;
        c->bridge = &bridges[number];
        c->address.s_addr = htonl(172u << 24 | (17 + number) << 16 | (100 + port / 250) << 8 | (1 + port % 250));
        memcpy(c->mac, "\x02\x42", 2);
        memcpy(c->mac + 2, &c->address, 4);
        snprintf(c->host_name, sizeof c->host_name, "veth%08x", ntohl(c->address.s_addr));
        throw_away(make_namespace, &c->netns);
    }
}

/* ---- The steps --------------------------------------------------------------------------------------------------- */

static void see_created(const struct nlmsghdr *m, void *context)
{
    struct container *c = context;
    const struct ifinfomsg *info = NLMSG_DATA(m);
    c->index = info->ifi_index;
    c->host_index = value_u32(find(IFLA_RTA(info), IFLA_PAYLOAD(m), IFLA_LINK));
}

/* The first datagram: the pair, alone. The kernel's echo tells both indexes. */
static void create_pair(struct container *c)
{
    struct ifinfomsg peer = {0};
    batch_clear(&batch);
    link_message(&batch, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL | NLM_F_ECHO | NLM_F_ACK, 0, 0);
    attribute_string(&batch, IFLA_IFNAME, "eth0");
    attribute(&batch, IFLA_ADDRESS, c->mac, sizeof c->mac);
    attribute_u32(&batch, IFLA_NUM_TX_QUEUES, 1);
    attribute_u32(&batch, IFLA_NUM_RX_QUEUES, 1);
    size_t link = nest(&batch, IFLA_LINKINFO);
    attribute_string(&batch, IFLA_INFO_KIND, "veth");
    size_t data = nest(&batch, IFLA_INFO_DATA);
    size_t host_end = nest(&batch, VETH_INFO_PEER);
    put(&batch, &peer, sizeof peer);
    attribute_string(&batch, IFLA_IFNAME, c->host_name);
    attribute_u32(&batch, IFLA_NET_NS_FD, host_netns);
    attribute_u32(&batch, IFLA_GROUP, c->bridge->group);
    attribute_u32(&batch, IFLA_NUM_TX_QUEUES, 1);
    attribute_u32(&batch, IFLA_NUM_RX_QUEUES, 1);
    nest_end(&batch, host_end);
    nest_end(&batch, data);
    nest_end(&batch, link);
    message_end(&batch);
    c->index = c->host_index = 0;
    expect(c->fd, &batch, see_created, c, "create of a pair");
    if (!c->index || !c->host_index)
        die("the kernel told no index");
}

/* The second: everything else inside, each message naming the index that the first returned. The host end is still down,
 * so eth0 has no carrier and makes no IPv6 address before its mode is set at the end of the same message. */
static void configure(struct container *c)
{
    struct ifaddrmsg address = {.ifa_family = AF_INET, .ifa_prefixlen = 16, .ifa_index = c->index};
    struct rtmsg route = {.rtm_family = AF_INET, .rtm_table = RT_TABLE_MAIN, .rtm_protocol = RTPROT_BOOT,
                          .rtm_scope = RT_SCOPE_UNIVERSE, .rtm_type = RTN_UNICAST};
    batch_clear(&batch);
    link_message(&batch, RTM_SETLINK, 0, c->index, IFF_UP);
    address_generation_none(&batch);
    message_end(&batch);
    link_message(&batch, RTM_SETLINK, 0, 1, IFF_UP);                       /* lo is always 1 */
    message_end(&batch);
    message(&batch, RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL, &address, sizeof address);
    attribute_u32(&batch, IFA_LOCAL, c->address.s_addr);
    attribute_u32(&batch, IFA_ADDRESS, c->address.s_addr);
    message_end(&batch);
    message(&batch, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_EXCL | NLM_F_ACK, &route, sizeof route);
    attribute_u32(&batch, RTA_GATEWAY, c->bridge->address.s_addr);
    attribute_u32(&batch, RTA_OIF, c->index);
    message_end(&batch);
    expect(c->fd, &batch, NULL, NULL, "configuration of a container");
}

static void pin_mac(const struct bridge *bridge)
{
    link_message(&batch, RTM_SETLINK, NLM_F_ACK, bridge->index, 0);
    attribute(&batch, IFLA_ADDRESS, bridge->mac, sizeof bridge->mac);
    message_end(&batch);
}

/* All new ports of one bridge: three messages, whatever their number. The pinned MAC comes first: with it the bridge looks
 * no longer at every port for the lowest one. */
static void enslave_group(const struct bridge *bridge)
{
    batch_clear(&batch);
    pin_mac(bridge);
    group_message(&batch, bridge->group, 0);
    address_generation_none(&batch);
    message_end(&batch);
    group_message(&batch, bridge->group, IFF_UP);
    attribute_u32(&batch, IFLA_MASTER, bridge->index);
    message_end(&batch);
    expect(bridge->fd, &batch, NULL, NULL, "group message");
}

static void get_link(struct batch *b, int index)
{
    link_message(b, RTM_GETLINK, NLM_F_ACK, index, 0);
    attribute_u32(b, IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS);
    message_end(b);
}

static void see_running(const struct nlmsghdr *m, void *context)
{
    const struct ifinfomsg *info = NLMSG_DATA(m);
    const struct rtattr *state = find(IFLA_RTA(info), IFLA_PAYLOAD(m), IFLA_OPERSTATE);
    ((struct container *)context)->running = value_u8(state) == 6;         /* IF_OPER_UP, RFC 2863 */
}

/* A unicast RTM_GETLINK completes a pending carrier change inside the call; a dump does not. */
static void make_ready(struct container *c)
{
    batch_clear(&batch);
    get_link(&batch, c->index);
    expect(c->fd, &batch, see_running, c, "look at a container's end");
    if (!c->running)
        die("%s: the container's end is not running", c->host_name);
}

static bool forwards(const struct rtattr *port)
{
    return value_u8(find_in(port, IFLA_BRPORT_STATE)) == BR_STATE_FORWARDING;
}

static void see_forwarding(const struct nlmsghdr *m, void *context)
{
    const struct rtattr *link = find(IFLA_RTA(NLMSG_DATA(m)), IFLA_PAYLOAD(m), IFLA_LINKINFO);
    *(bool *)context = forwards(find_in(link, IFLA_INFO_SLAVE_DATA));
}

static void make_port_forward(int fd, int index)
{
    bool forwarding = false;
    batch_clear(&batch);
    get_link(&batch, index);
    expect(fd, &batch, see_forwarding, &forwarding, "look at a port");
    if (!forwarding)
        die("the port with index %d does not forward", index);
}

struct ports {
    uint8_t *forwarding;       /* by link index */
    int last;
};

static void see_port(const struct nlmsghdr *m, void *context)
{
    const struct ports *ports = context;
    const struct ifinfomsg *info = NLMSG_DATA(m);
    if (info->ifi_index <= ports->last)
        ports->forwarding[info->ifi_index] = forwards(find(IFLA_RTA(info), IFLA_PAYLOAD(m), IFLA_PROTINFO));
}

/* Which ports forward, of all bridges: the dump of AF_BRIDGE is the shortest that tells. */
static struct ports list_ports(int fd)
{
    struct ports ports = {0};
    struct ifinfomsg wanted = {.ifi_family = AF_BRIDGE};
    for (int i = 0; i < container_count; i++)
        if (containers[i].host_index > ports.last)
            ports.last = containers[i].host_index;
    ports.forwarding = calloc(ports.last + 1, 1);
    if (!ports.forwarding)
        die("out of memory");
    batch_clear(&batch);
    message(&batch, RTM_GETLINK, NLM_F_DUMP, &wanted, sizeof wanted);
    message_end(&batch);
    expect(fd, &batch, see_port, &ports, "dump of the ports");
    return ports;
}

/* A new veth counts as running until the kernel's linkwatch has noted that it had no carrier (it does some 100 links a
 * second), and only a port that is running when it is raised forwards at once. So most do; the few that linkwatch met
 * before are completed like the containers' ends. */
static void make_ports_forward(int fd)
{
    struct ports ports = list_ports(fd);
    for (int i = 0; i < container_count; i++)
        if (!ports.forwarding[containers[i].host_index]) {
            make_port_forward(fd, containers[i].host_index);
            late_ports++;
        }
    free(ports.forwarding);
}

/* Put the host ends into a group: 0 says finished, a private one says to be deleted. */
static void regroup(int fd, uint32_t group)
{
    for (int start = 0; start < container_count; start += LINK_CHUNK) {
        int end = start + LINK_CHUNK < container_count ? start + LINK_CHUNK : container_count;
        batch_clear(&batch);
        for (int i = start; i < end; i++)
            set_group(&batch, containers[i].host_index, group, i == end - 1);
        expect(fd, &batch, NULL, NULL, "change of a group");
    }
}

/* An address on a bridge is taken when a link bears this name: the kernel's check for unique names is the allocator. */
static void put_claim(const struct container *c, bool last)
{
    char address[INET_ADDRSTRLEN], name[INET_ADDRSTRLEN + 16];
    inet_ntop(AF_INET, &c->address, address, sizeof address);
    snprintf(name, sizeof name, "ip:%d:%s", c->bridge->index, address);
    link_message(&batch, RTM_NEWLINKPROP, NLM_F_CREATE | NLM_F_EXCL | (last ? NLM_F_ACK : 0), c->host_index, 0);
    size_t names = nest(&batch, IFLA_PROP_LIST | NLA_F_NESTED);
    attribute_string(&batch, IFLA_ALT_IFNAME, name);
    nest_end(&batch, names);
    message_end(&batch);
}

static void claim_addresses(int fd)
{
    for (int start = 0; start < container_count; start += LINK_CHUNK) {
        int end = start + LINK_CHUNK < container_count ? start + LINK_CHUNK : container_count;
        batch_clear(&batch);
        for (int i = start; i < end; i++)
            put_claim(&containers[i], i == end - 1);
        expect(fd, &batch, NULL, NULL, "claim of an address");
    }
}

/* ---- In bulk ----------------------------------------------------------------------------------------------------- */

/* The containers whose sockets are open at a time. */
struct wave {
    int first, end;
};

static struct wave wave_from(int first)
{
    int left = container_count - first;
    return (struct wave){first, first + (left < OPEN_SOCKETS ? left : OPEN_SOCKETS)};
}

static void *open_each(void *context)
{
    const struct wave *wave = context;
    for (int i = wave->first; i < wave->end; i++)
        containers[i].fd = enter_and_open(containers[i].netns);
    return NULL;
}

static void close_each(struct wave wave)
{
    for (int i = wave.first; i < wave.end; i++)
        close(containers[i].fd);
}

/* The descriptor table grows before a second thread shares it: afterwards each doubling waits for an RCU grace period
 * (10 ms at 200 containers). With that, keeping the sockets is 2 % faster than opening them twice. */
static void grow_descriptors(void)
{
    int highest = fcntl(host_netns, F_DUPFD_CLOEXEC, descriptors_wanted() - 1);
    if (highest < 0 || close(highest))
        die("no room for descriptors: %s", strerror(errno));
}

enum { OPEN, INSIDE, CLAIM, GROUP, READY, COMMIT, PHASES };
static const char *const phase_names[PHASES] = {"open", "inside", "claim", "group", "ready", "commit"};

static double spend(double *phase, double since)
{
    double moment = now();
    *phase += moment - since;
    return moment;
}

/* Wire them all; `spent` gets the seconds of each phase. A phase is done for all before the next begins: bridge after bridge
 * costs 40 % more on ten bridges, as linkwatch then works against the next one's creates. */
static void attach_all(double spent[PHASES])
{
    bool keep_open = container_count <= OPEN_SOCKETS;
    double moment = now();
    memset(spent, 0, PHASES * sizeof *spent);
    for (int i = 0; i < bridge_count; i++)
        open_bridge(&bridges[i]);
    grow_descriptors();
    for (struct wave wave = wave_from(0); wave.first < container_count; wave = wave_from(wave.end)) {
        throw_away(open_each, &wave);
        moment = spend(&spent[OPEN], moment);
        for (int i = wave.first; i < wave.end; i++) {
            create_pair(&containers[i]);
            configure(&containers[i]);
        }
        if (!keep_open)
            close_each(wave);
        moment = spend(&spent[INSIDE], moment);
    }
    claim_addresses(bridges[0].fd);
    moment = spend(&spent[CLAIM], moment);
    for (int i = 0; i < bridge_count; i++)
        enslave_group(&bridges[i]);
    moment = spend(&spent[GROUP], moment);
    for (struct wave wave = wave_from(0); wave.first < container_count; wave = wave_from(wave.end)) {
        if (!keep_open)
            throw_away(open_each, &wave);
        moment = spend(&spent[OPEN], moment);
        for (int i = wave.first; i < wave.end; i++)
            make_ready(&containers[i]);
        close_each(wave);
        moment = spend(&spent[READY], moment);
    }
    make_ports_forward(bridges[0].fd);
    moment = spend(&spent[READY], moment);
    regroup(bridges[0].fd, 0);
    for (int i = 0; i < bridge_count; i++)
        close(bridges[i].fd);
    spend(&spent[COMMIT], moment);
}

/* Outside the timed part. */
static int ready_ports(void)
{
    int ready = 0;
    struct ports ports = list_ports(host_fd);
    for (int i = 0; i < container_count; i++)
        ready += ports.forwarding[containers[i].host_index];
    free(ports.forwarding);
    return ready;
}

/* ru_maxrss would count the process that started us. */
static long peak_memory(void)
{
    char line[256];
    long peak = 0;
    FILE *status = fopen("/proc/self/status", "r");
    while (status && fgets(line, sizeof line, status))
        if (sscanf(line, "VmHWM: %ld", &peak) == 1)
            break;
    if (status)
        fclose(status);
    return peak;
}

/* Seconds of the processor; a kernel may sample them at its clock's ticks. */
struct cpu {
    double user, system;
};

static struct cpu cpu_since(struct cpu start)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return (struct cpu){usage.ru_utime.tv_sec + usage.ru_utime.tv_usec * 1e-6 - start.user,
                        usage.ru_stime.tv_sec + usage.ru_stime.tv_usec * 1e-6 - start.system};
}

static struct cpu cpu_now(void)
{
    return cpu_since((struct cpu){0, 0});
}

static void say(const char *what, int n, double seconds, struct cpu cpu)
{
    printf("{\"what\": \"%s\", \"n\": %d, \"seconds\": %.6f, \"user\": %.6f, \"system\": %.6f, \"peak_kib\": %ld",
           what, n, seconds, cpu.user, cpu.system, peak_memory());
}

static void attach(bool keep)
{
    double spent[PHASES], all = 0;
    struct cpu cpu = cpu_now();
    attach_all(spent);
    cpu = cpu_since(cpu);
    int ready = ready_ports();
    for (int i = 0; i < PHASES; i++)
        all += spent[i];
    say("attach", container_count, all, cpu);
    printf(", \"ready\": %d, \"late\": %d, \"phases\": {", ready, late_ports);
    for (int i = 0; i < PHASES; i++)
        printf("%s\"%s\": %.6f", i ? ", " : "", phase_names[i], spent[i]);
    puts("}}");
    if (ready != container_count)
        die("%d of %d ports forward", ready, container_count);
    fflush(stdout);
    while (keep && getchar() != EOF)       /* the namespaces live as long as we: in /proc/PID/fd */
        ;
}

static void detach(void)
{
    double spent[PHASES];
    uint32_t group;
    attach_all(spent);
    struct cpu cpu = cpu_now();
    double start = now();
    int fd = open_private(&group);
    regroup(fd, group);
    double regrouped = now();
    batch_clear(&batch);
    link_message(&batch, RTM_DELLINK, NLM_F_ACK, 0, 0);
    attribute_u32(&batch, IFLA_GROUP, group);
    message_end(&batch);
    expect(fd, &batch, NULL, NULL, "delete of a group");
    close(fd);
    double end = now();
    say("detach", container_count, end - start, cpu_since(cpu));
    printf(", \"phases\": {\"regroup\": %.6f, \"delete\": %.6f}}\n", regrouped - start, end - regrouped);
}

/* ---- One by one -------------------------------------------------------------------------------------------------- */

static void *open_one(void *context)
{
    struct container *c = context;
    c->fd = enter_and_open(c->netns);
    return NULL;
}

static void attach_single(struct container *c)
{
    open_bridge(c->bridge);
    throw_away(open_one, c);
    create_pair(c);
    configure(c);
    batch_clear(&batch);
    put_claim(c, true);
    expect(c->bridge->fd, &batch, NULL, NULL, "claim of an address");
    batch_clear(&batch);
    pin_mac(c->bridge);
    link_message(&batch, RTM_SETLINK, 0, c->host_index, 0);
    address_generation_none(&batch);
    message_end(&batch);
    link_message(&batch, RTM_SETLINK, NLM_F_ACK, c->host_index, IFF_UP);
    attribute_u32(&batch, IFLA_MASTER, c->bridge->index);
    message_end(&batch);
    expect(c->bridge->fd, &batch, NULL, NULL, "enslaving of one");
    make_ready(c);
    make_port_forward(c->bridge->fd, c->host_index);
    close(c->fd);
    batch_clear(&batch);
    set_group(&batch, c->host_index, 0, true);
    expect(c->bridge->fd, &batch, NULL, NULL, "change of a group");
    close(c->bridge->fd);
}

static void detach_single(const struct container *c)
{
    int fd = open_socket();
    batch_clear(&batch);
    link_message(&batch, RTM_DELLINK, NLM_F_ACK, c->host_index, 0);
    message_end(&batch);
    expect(fd, &batch, NULL, NULL, "delete of one");
    close(fd);
}

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(double *values, int count)
{
    qsort(values, count, sizeof *values, ascending);
    return count % 2 ? values[count / 2] : (values[count / 2 - 1] + values[count / 2]) / 2;
}

/* The mean of the middle half of sorted values: for waits that come in steps of a clock tick. */
static double midmean(const double *values, int count)
{
    double sum = 0;
    for (int i = count / 4; i < count - count / 4; i++)
        sum += values[i];
    return sum / (count - count / 4 * 2);
}

static void one_by_one(const char *what)
{
    static double attached[MAX_CONTAINERS], detached[MAX_CONTAINERS];
    double attaching = 0, detaching = 0;
    struct cpu to_attach = cpu_now();
    for (int i = 0; i < container_count; i++) {
        double start = now();
        attach_single(&containers[i]);
        attaching += attached[i] = now() - start;
    }
    to_attach = cpu_since(to_attach);
    int ready = ready_ports();
    struct cpu to_detach = cpu_now();
    for (int i = 0; i < container_count; i++) {
        double start = now();
        detach_single(&containers[i]);
        detaching += detached[i] = now() - start;
    }
    to_detach = cpu_since(to_detach);
    if (strcmp(what, "attach-one"))
        say(what, container_count, detaching, to_detach);
    else
        say(what, container_count, attaching, to_attach);
    printf(", \"ready\": %d, \"median\": {\"attach\": %.6f, \"detach\": %.6f}", ready,
           median(attached, container_count), median(detached, container_count));
    printf(", \"midmean\": {\"detach\": %.6f}}\n", midmean(detached, container_count));
    if (ready != container_count)
        die("%d of %d ports forward", ready, container_count);
}

/* ---- Routes ------------------------------------------------------------------------------------------------------ */

static void put_route(int index, uint32_t destination, bool last)
{
    struct rtmsg route = {.rtm_family = AF_INET, .rtm_dst_len = 32, .rtm_table = RT_TABLE_MAIN,
                          .rtm_protocol = RTPROT_BOOT, .rtm_scope = RT_SCOPE_LINK, .rtm_type = RTN_UNICAST};
    message(&batch, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_EXCL | (last ? NLM_F_ACK : 0), &route, sizeof route);
    attribute_u32(&batch, RTA_DST, htonl(destination));
    attribute_u32(&batch, RTA_OIF, index);
    message_end(&batch);
}

static void see_route(const struct nlmsghdr *m, void *context)
{
    *(int *)context += m->nlmsg_type == RTM_NEWROUTE;
}

static void routes(int count)
{
    if (count < 1 || count > 1 << 24)
        die("1 to %d routes", 1 << 24);
    host_fd = open_socket();
    set_option(host_fd, SOL_SOCKET, SO_RCVBUF, 1 << 20);                   /* room for the refusals of a whole chunk */
    make_bridge(0);
    struct cpu cpu = cpu_now();
    double start = now();
    for (int first = 0; first < count; first += ROUTE_CHUNK) {
        int end = first + ROUTE_CHUNK < count ? first + ROUTE_CHUNK : count;
        batch_clear(&batch);
        for (int i = first; i < end; i++)
            put_route(bridges[0].index, 10u << 24 | i, i == end - 1);
        expect(host_fd, &batch, NULL, NULL, "routes");
    }
    double added = now();
    cpu = cpu_since(cpu);
    int seen = 0;
    struct rtmsg wanted = {.rtm_family = AF_INET, .rtm_table = RT_TABLE_MAIN};
    batch_clear(&batch);
    message(&batch, RTM_GETROUTE, NLM_F_DUMP, &wanted, sizeof wanted);
    message_end(&batch);
    double asked = now();
    expect(host_fd, &batch, see_route, &seen, "dump of the routes");
    double dumped = now();
    say("routes", count, added - start, cpu);
    printf(", \"seen\": %d, \"phases\": {\"add\": %.6f, \"dump\": %.6f}}\n", seen, added - start, dumped - asked);
    if (seen < count)
        die("%d of %d routes were dumped", seen, count);
}

/* ------------------------------------------------------------------------------------------------------------------ */

static const char usage[] =
    "usage: floor attach|detach N [BRIDGES] [--keep] | attach-one N | detach-one N | routes N\n"
    "Works in the network namespace it is started in, and makes its bridges there: start it under\n"
    "`unshare -n -m --propagation private`.\n";

int main(int argc, char **argv)
{
    int numbers[2] = {0, 1}, given = 0;
    bool keep = false;
    for (int i = 2; i < argc; i++) {
        if (!strcmp(argv[i], "--keep"))
            keep = true;
        else if (given < 2 && atoi(argv[i]) > 0)
            numbers[given++] = atoi(argv[i]);
        else
            given = 3;
    }
    if (given < 1 || given > 2) {
        fputs(usage, stderr);
        return 2;
    }
    const char *what = argv[1];
    if (!strcmp(what, "routes")) {
        routes(numbers[0]);
        return 0;
    }
    prepare(numbers[0], numbers[1]);
    if (!strcmp(what, "attach"))
        attach(keep);
    else if (!strcmp(what, "detach"))
        detach();
    else if (!strcmp(what, "attach-one") || !strcmp(what, "detach-one"))
        one_by_one(what);
    else
        die("no such command: %s", what);
    return 0;
}
