# Becomes the server, and leaves behind a watcher that stops it when nobody owns it any more.
#
# Every pgproof that uses the server holds the pipe `owners` open for writing. However an owner ends, the kernel
# closes its end; when the last is closed the watcher reads end-of-file and asks the server for a fast shutdown.
# Words that owners may send: `hello`: are you there? (answered by removing a file); `keep`: run on with no owner;
# `stop`: stop although there are owners.
#
# usage: sh watcher.sh <data directory> <pipe> <server> [argument...]   with the pipe's reading end as stdin
data=$1 pipe=$2
shift 2
exec 3<&0 </dev/null
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
        # $$ is the server's id. It may be starting still, or gone and its number someone else's: the pid file tells.
        waited=0
        while kill -0 "$$" && [ "$waited" -lt 600 ]; do
            if read -r pid <"$data/postmaster.pid" && [ "$pid" = "$$" ]; then
                case $waited in
                [0-9] | 100 | 200) kill -INT "$$" ;;
                [345]00) kill -QUIT "$$" ;;
                esac
            elif [ "$waited" -ge 50 ]; then
                break
            fi
            waited=$((waited + 1))
            sleep 0.1
        done
    ) >/dev/null 2>&1 &
)
exec 3<&-
exec "$@"
