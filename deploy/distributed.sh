#!/usr/bin/env bash
# The distributed form on one machine, from nothing to a point in an account and back: PostgreSQL and Kafka
# (`careline stack`), the gateway, and every service's HTTP and work in a process of its own, each under its own login.
# Needs nothing but Careline; leaves nothing behind; exits 0 when the trade's points were seen.
set -euo pipefail

here=$(cd "$(dirname "$0")/.." && pwd)
careline=$here/.venv/bin/careline
[ -x "$careline" ] || careline=$(command -v careline)
home=$(mktemp -d "${TMPDIR:-/tmp}/careline-distributed.XXXXXX")
export CARELINE_HOME=$home CARELINE_PARTITIONS=${CARELINE_PARTITIONS:-4}
pids=()

leave() {
    code=$?
    set +e
    trap - EXIT INT TERM
    [ "$code" = 0 ] || tail -n 5 "$home"/*.err >&2 || true
    for pid in "${pids[@]}"; do kill "$pid" 2>/dev/null || true; done
    for pid in "${pids[@]}"; do wait "$pid" || true; done
    "$careline" stack down
    rm -rf "$home"
    exit "$code"
}
trap leave EXIT
trap 'exit 130' INT TERM

start() { # NAME COMMAND...: start a process of ours; what it says goes to files of its name
    local name=$1
    shift
    "$@" >"$home/$name.out" 2>"$home/$name.err" &
    pids+=($!)
}

serve() { start "serve-$1" env -u CARELINE_OWNER_URL "$careline" serve "$1" --port "${2:-0}"; }
work() { start "work-$1" "$careline" work "$1" --port 0; }

free_port() { # a port nobody listens at: services ask the gateway for clients' keys, and start before it
    local port=
    until [ -n "$port" ] && ! (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; do port=$((20000 + RANDOM % 10000)); done
    echo "$port"
}

address() { # NAME: wait until that process says where it serves
    until grep -qE 'https?://' "$home/$1.out"; do
        kill -0 "${pids[@]}" || { echo "$1 or another process ended" >&2; return 1; }
        sleep 0.2
    done
    grep -oE 'https?://[^ ]+' "$home/$1.out" | head -n 1
}

wait_for() { # WHAT COMMAND...: until the command holds, at most three minutes
    local what=$1
    shift
    for _ in $(seq 900); do
        if "$@"; then echo "$what"; return; fi
        sleep 0.2
    done
    echo "never: $what" >&2
    return 1
}

"$careline" stack up | tee "$home/stack.env"
while IFS= read -r setting; do export "${setting?}"; done <"$home/stack.env"
# Each service logs in under a name of its own; the login that owns the schemas stays with migrations and workers.
export CARELINE_OWNER_URL=$CARELINE_DATABASE_URL
export CARELINE_DATABASE_URL=${CARELINE_DATABASE_URL/careline@/careline_\{service\}@}
services=$("$careline" migrate | tee /dev/stderr | sed -n 's/^migrated: //p' | tr -d ',')

port=$(free_port)
export CARELINE_GATEWAY_URL=http://127.0.0.1:$port
for service in $services; do
    work "$service"
    [ "$service" = gateway ] || serve "$service"
done
urls=
for service in $services; do
    [ "$service" = gateway ] || urls+="${urls:+, }\"$service\": \"$(address "serve-$service")\""
done
export CARELINE_SERVICE_URLS="{$urls}"
serve gateway "$port"
gateway=$(address serve-gateway)

broker=$("$careline" token --role system) officer=$("$careline" token --role operations) hq=$("$careline" token --role hq)
ask() { curl -sSf -H "Authorization: Bearer $1" -H "Purpose: distributed.sh" "${@:2}"; }
all_up() { ask "$officer" "$gateway/v1/status" | grep -q '^{"state": *"up"'; }
points_seen() { ask "$hq" "$gateway/v1/points/clients/c-1" 2>/dev/null | grep -q '"available": *"100.50"'; }

ask "$broker" "$gateway/v1/events" -H 'Content-Type: application/cloudevents+json' -d '{
    "specversion": "1.0", "id": "e-1", "source": "distributed.sh", "type": "broker.trade.settled", "data": {
        "trade_id": "t-1", "client_id": "c-1", "account_id": "a-1", "branch_id": "B1", "trade_date": "2024-03-04",
        "settled_at": "2024-03-04T15:00:00+08:00", "instrument": {"symbol": "600519", "kind": "stock"}, "side": "buy",
        "quantity": "100", "amount": "100000", "commission": "100.50", "currency": "CNY"}}'
echo
wait_for "the trade's points are there" points_seen
wait_for "every service is up" all_up
"$careline" verify
