# Stops the server when nobody owns it any more; with `self` it first becomes the server and leaves the watcher behind.
#
# Every pgproof that uses the server holds the pipe `owners` open for writing. However an owner ends, the kernel
# closes its end; when the last is closed the watcher reads end-of-file and asks the server for a fast shutdown.
# Words that owners may send: `hello`: are you there? (answered by removing a file); `keep`: run on with no owner;
# `stop`: stop although there are owners.
#
# usage: sh watcher.sh <data directory> <pipe> self <server> [argument...]   with the pipe's reading end as stdin
#        sh watcher.sh <data directory> <pipe> <process id>                  in place of a watcher that was killed
data=$1 pipe=$2 server=$3
shift 3
exec 3<&0 </dev/null
[ "$server" != self ] || server=$$

# When the server's process began, which no later process of its number shares; nothing for one that has ended.
birth() {
    stat=$(cat "/proc/$server/stat" 2>/dev/null) || return 0
    # The name in parentheses may hold anything; after it come the state and, as the 20th word, the start.
    set -- ${stat##*) }
    [ "$1" = Z ] || echo "${20}"
}
born=$(birth)

# Whatever was stopped (`kill -STOP`) hears nothing until it is let on.
wake() {
    kill -CONT "$server" $(cat "/proc/$server/task/$server/children" 2>/dev/null)
}

(
    # Twice forked: the watcher must not be the server's child, which would log its end as a crash.
    (
        # A terminal's hang-up is no reason to leave the server alone.
        trap '' HUP INT QUIT TERM
        while read -r word <&3; do
            case $word in
            hello) rm -f "$pipe.hello" ;;
            keep) exec 4>"$pipe" ;;
            stop) break ;;
            esac
        done
        exec 3<&- 4>&-
        # It may be starting still: then the pid file does not name it yet. One that does not end is made to.
        waited=0
        while [ "$waited" -lt 400 ] && kill -0 "$server" && [ "$(birth)" = "$born" ]; do
            if read -r pid <"$data/postmaster.pid" && [ "$pid" = "$server" ]; then
                case $waited in
                [0-9] | 100) wake; kill -INT "$server" ;;
                200 | 250) wake; kill -QUIT "$server" ;;
                300) kill -KILL "$server" ;;
                esac
            elif [ "$waited" -ge 50 ]; then
                # Without a start to compare, its number may be somebody else's by now.
                [ -n "$born" ] || break
                kill -INT "$server"
            fi
            waited=$((waited + 1))
            sleep 0.1
        done
    ) >/dev/null 2>&1 &
)
exec 3<&-
[ "$server" = $$ ] || exit 0
exec "$@"
