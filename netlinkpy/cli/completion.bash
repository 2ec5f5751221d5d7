# Completion of netlinkpy for bash, and of links to it that are named ip or brctl. Names are asked of netlinkpy itself.

_netlinkpy_devices() { netlinkpy -o link 2>/dev/null | sed -e 's/^[0-9]*: \([^:@]*\).*/\1/'; }
_netlinkpy_bridges() { netlinkpy -o link show type bridge 2>/dev/null | sed -e 's/^[0-9]*: \([^:@]*\).*/\1/'; }
_netlinkpy_namespaces() { netlinkpy netns 2>/dev/null | sed -e 's/ .*//'; }
_netlinkpy_is_link() { [[ $(readlink -f "$(type -P "$1")" 2>/dev/null) == */netlinkpy ]]; }

_netlinkpy_words() { # what may come after the words in $@
    local word object= command= last=${!#}
    case $last in
    dev | master | oif | iif) _netlinkpy_devices && return ;;
    -n | -netns | --netns | netns) [[ $# -gt 1 ]] && _netlinkpy_namespaces && [[ $last != netns || $2 == link ]] && return ;;
    --bridge | -b) _netlinkpy_bridges && return ;;
    type) echo "bridge veth bridge_slave" && return ;;
    via | src | address | mtu | metric | name | alias | --ip | --mac-address | --ifname | --host-ifname) return ;;
    esac
    for word in "${@:2}"; do
        case $word in
        -*) ;;
        *) if [[ -z $object ]]; then object=$word; elif [[ -z $command ]]; then command=$word; fi ;;
        esac
    done
    case $object/$command in
    /)
        echo "link address route netns neigh rule help -4 -6 -n -j -p -br -o -N -c -batch -force -V"
        [[ $1 == ip ]] || echo "attach detach network run ps exec port stop kill show bench brctl completion --help --version"
        ;;
    brctl/) echo "addbr delbr addif delif hairpin setageing setbridgeprio setfd sethello setmaxage setpathcost setportprio show showmacs showstp stp" ;;
    brctl/stp) _netlinkpy_bridges; echo "on off" ;;
    brctl/addif | brctl/delif) _netlinkpy_devices ;;
    brctl/*) _netlinkpy_bridges ;;
    network/) echo "create ls inspect rm connect disconnect prune reload watch" ;;
    network/create) echo "--subnet --gateway --ip-range --aux-address --ipv6 --mtu --internal --isolate --no-masquerade --mcast-snooping --bridge --help" ;;
    network/connect) netlinkpy network ls -q 2>/dev/null; _netlinkpy_namespaces; echo "--ip --ip6 --mac-address --ifname --default-gateway --help" ;;
    network/*) netlinkpy network ls -q 2>/dev/null ;;
    run/*) echo "--net --name --ip --bridge --publish --detach --interactive --tty --help" ;;
    exec/ | port/ | stop/ | kill/) netlinkpy ps -q 2>/dev/null ;;
    l*/) echo "show add set delete change replace property help" ;;
    a | ad | add* | addr*/) echo "show add change replace delete flush help" ;;
    r*/) echo "show add append change replace delete get flush help" ;;
    netns/) echo "list add attach delete exec identify pids set list-id prune help" ;;
    netns/exec | netns/delete | netns/set | netns/pids) _netlinkpy_namespaces ;;
    link/add) echo "name address mtu index txqueuelen numtxqueues numrxqueues master netns group type up" ;;
    link/set) _netlinkpy_devices; echo "dev up down name address mtu master nomaster netns alias group txqueuelen type arp promisc multicast allmulticast addrgenmode" ;;
    link/property) _netlinkpy_devices; echo "add del dev altname" ;;
    link/*) _netlinkpy_devices; echo "dev up master nomaster type group" ;;
    a*/add | a*/change | a*/replace | a*/delete) echo "dev peer broadcast label scope metric valid_lft preferred_lft nodad home noprefixroute mngtmpaddr autojoin" ;;
    a*/*) _netlinkpy_devices; echo "dev up to scope label permanent dynamic secondary primary tentative deprecated" ;;
    r*/add | r*/append | r*/change | r*/replace | r*/delete) echo "default via dev metric table src scope proto onlink mtu nexthop blackhole unreachable prohibit throw" ;;
    r*/get) echo "from iif oif mark uid fibmatch" ;;
    r*/*) echo "table dev via proto type scope src metric root match exact default" ;;
    attach/*) _netlinkpy_namespaces; echo "--bridge --ip --default-gateway --mac-address --ifname --host-ifname --mtu --from --help" ;;
    detach/*) _netlinkpy_namespaces; echo "--ifname --from --help" ;;
    bench/*) echo "--containers --keep --json --help" ;;
    completion/*) echo "bash" ;;
    esac
}

_netlinkpy() {
    local words=("${COMP_WORDS[@]:1:COMP_CWORD-1}") program=${1##*/}
    case $program in
    brctl) words=(brctl "${words[@]}") program=netlinkpy ;;
    esac
    COMPREPLY=($(compgen -W "$(_netlinkpy_words "$program" "${words[@]}" 2>/dev/null)" -- "${COMP_WORDS[COMP_CWORD]}"))
}

complete -F _netlinkpy netlinkpy
for _netlinkpy_name in ip brctl; do
    _netlinkpy_is_link "$_netlinkpy_name" && complete -F _netlinkpy "$_netlinkpy_name"
done
unset _netlinkpy_name
