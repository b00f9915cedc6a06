# dpdk-testpmd: forwarding between two vhost ports without looking at anything, the limit of what a
# switch on this vhost library can do. Case: io.
testpmd_have() {
	command -v dpdk-testpmd >/dev/null || { echo "no dpdk-testpmd (package dpdk)"; return 1; }
}
testpmd_settings() { echo "io forwarding, burst of 32, 1024 descriptors, 512 buffers of cache"; }

testpmd_start() {
	local n vdevs=()
	for n in 1 2; do
		vdevs+=(--vdev "net_vhost$n,iface=$RUN/vm$n.sock,queues=1")
	done
	mkfifo "$RUN/testpmd.in"
	# What forwards is alone on its core; the main thread waits for commands on the other one.
	stdbuf -oL dpdk-testpmd --lcores "1@$SWITCH_CORE,2@$GENERATOR_CORE" --main-lcore 2 --no-pci --in-memory \
		-m 1024 --no-telemetry "${vdevs[@]}" -- -i --forward-mode=io --nb-cores=1 --burst=32 \
		--rxd=1024 --txd=1024 --mbcache=512 --total-num-mbufs=65536 --record-core-cycles \
		<"$RUN/testpmd.in" >"$RUN/testpmd.log" 2>&1 &
	PIDS+=($!)
	exec 4>"$RUN/testpmd.in"
	rm "$RUN/testpmd.in"
	echo start >&4
	wait_for 30 grep -q 'packet forwarding' "$RUN/testpmd.log"
}
testpmd_stop() {
	echo quit >&4
	wait_for 10 gone "${PIDS[0]}"
	exec 4>&-
}

testpmd_cycles() {
	echo "show fwd stats all" >&4
	wait_for 5 grep -q 'CPU cycles/packet' "$RUN/testpmd.log"
	sed -n 's/.*CPU cycles\/packet=\([0-9.]*\).*/\1/p' "$RUN/testpmd.log" | tail -n 1
}
