# Runs a server for a test process. When that process ends, however it ends, its end closes our
# standard input. The shell then ends the server and removes its folder.
# Arguments: the folder, the signal that ends the server at once, the signal that stops it in an
# orderly way, the server's command.
folder=$1 end=$2 stop=$3
shift 3
# The kernel sends SIGHUP to an orphaned process group in which a process is stopped.
trap '' HUP
pid=
while read -r order; do
    case $order in
    start) "$@" >>"$folder/log" 2>&1 </dev/null & pid=$! ;;
    stop) kill -s "$stop" "$pid"; wait "$pid"; pid= ;;
    esac
    echo "$pid"
done
if [ -n "$pid" ]; then
    children=$(cat /proc/"$pid"/task/*/children)
    kill -s "$end" "$pid"
    # Stopped processes receive the signal only after they continue.
    kill -s CONT "$pid" $children
    wait "$pid"
fi
rm -rf "$folder"
