// A contender on vishvananda/netlink, the library under most Go container engines: attach or detach the containers told on
// standard input, one a line: NETNS-PATH HOST-NAME BRIDGE MAC ADDRESS/PREFIX GATEWAY. The veth is made in one call, with its peer
// born in the container.
package main

import (
	"bufio"
	"fmt"
	"net"
	"os"
	"strings"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
)

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "vishvananda:", err)
		os.Exit(1)
	}
}

func attach(field []string) {
	inside, err := netns.GetFromPath(field[0])
	check(err)
	defer inside.Close()
	bridge, err := netlink.LinkByName(field[2])
	check(err)
	mac, err := net.ParseMAC(field[3])
	check(err)

	attributes := netlink.NewLinkAttrs()
	attributes.Name = field[1]
	attributes.MasterIndex = bridge.Attrs().Index
	attributes.Flags = net.FlagUp
	check(netlink.LinkAdd(&netlink.Veth{
		LinkAttrs: attributes, PeerName: "eth0", PeerHardwareAddr: mac, PeerNamespace: netlink.NsFd(int(inside))}))

	container, err := netlink.NewHandleAt(inside)
	check(err)
	defer container.Delete()
	eth0, err := container.LinkByName("eth0")
	check(err)
	lo, err := container.LinkByName("lo")
	check(err)
	check(container.LinkSetUp(lo))
	check(container.LinkSetUp(eth0))
	address, err := netlink.ParseAddr(field[4])
	check(err)
	check(container.AddrAdd(eth0, address))
	check(container.RouteAdd(&netlink.Route{LinkIndex: eth0.Attrs().Index, Gw: net.ParseIP(field[5])}))
}

func detach(field []string) {
	link, err := netlink.LinkByName(field[1])
	check(err)
	check(netlink.LinkDel(link))
}

func main() {
	work := map[string]func([]string){"attach": attach, "detach": detach}[os.Args[1]]
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		work(strings.Fields(lines.Text()))
	}
	check(lines.Err())
}
