# How rows are measured (peers.sh): what is compared, rounds in which all have their turn, one run of the
# load generator. A row's function calls row, then in_turn; or compare, which does both.
declare -A HAVE=()
VARIANTS=() # of the row at hand: those of its variants that can be had

# have VARIANT: its peer is here; else a line says so, once.
have() {
	local peer=${1%%:*} why
	[ -z "${HAVE[$peer]:-}" ] || { [ "${HAVE[$peer]}" = yes ]; return; }
	HAVE[$peer]=yes
	why=$("${peer}_have") || { HAVE[$peer]=no && say "skipped: $why"; }
	[ "${HAVE[$peer]}" = no ] || say "$peer: $("${peer}_settings")"
	[ "${HAVE[$peer]}" = yes ]
}

# row ID TITLE UNIT OURS TARGET...: a target is PEER:CASE, or with what the ratio is to be, such as
# PEER:CASE>=0.75. OURS may have what its figure itself is to be.
row() {
	local id=$1 title=$2 unit=$3 variant
	shift 3
	jq -cn --arg id "$id" --arg title "$title" --arg unit "$unit" '[$ARGS.positional[] |
		capture("^(?<variant>[^<>]+)((?<op>[<>]=)(?<reach>[0-9.]+))?$") |
		.reach |= (if . then tonumber else null end)] |
		{id: $id, title: $title, unit: $unit, ours: .[0], targets: .[1:]}' --args "$@" >>"$RUN/rows"
	VARIANTS=()
	for variant in "$@"; do
		variant=${variant%%[<>]*}
		have "$variant" && VARIANTS+=("$variant")
	done
}

# in_turn ID COMMAND [ARGUMENT...]: calls COMMAND ID VARIANT ROUND ARGUMENT... for all variants of the
# row, in each round the other way round.
in_turn() {
	local id=$1 command=$2 order variant round
	shift 2
	[ ${#VARIANTS[@]} -gt 0 ] || return 0
	for ((round = 1; round <= ROUNDS; round++)); do
		order=("${VARIANTS[@]}")
		[ $((round % 2)) = 1 ] || mapfile -t order < <(printf '%s\n' "${VARIANTS[@]}" | tac)
		for variant in "${order[@]}"; do "$command" "$id" "$variant" "$round" "$@"; done
	done
	stop
	say "measured: $id"
}

# all_there VARIANT OPTION...: a firewall has as many connections as flows of UDP were sent.
all_there() {
	local variant=$1 flows
	shift
	[[ $variant == vswitch:fw* || $variant == ovs:conntrack ]] && [[ " $* " != *" -t "* ]] || return 0
	flows=$(flows_of "$@")
	[ "$("${running}_connections")" -ge $((flows * 99 / 100)) ]
}

# measure ID VARIANT ROUND JQ OPTION...: one start, one run of the generator.
measure() {
	local id=$1 variant=$2 round=$3 value=$4
	shift 4
	# The limit is that of one flow: it looks at none.
	[[ $variant != testpmd:* ]] || set -- "$@" -f 1
	start "$variant" "$(flows_of "$@")" || return
	generate "$@" >"$RUN/result" || {
		say "$id: no figure of $variant: $(tail -n 1 "$RUN/pktgen.log")"
		return
	}
	all_there "$variant" "$@" || {
		say "$id: no figure of $variant: it has $("${running}_connections") connections"
		return
	}
	record "$id" "$variant" "$round" "$RUN/result" "$value"
}

# compare ID TITLE UNIT JQ OPTIONS OURS TARGET...: the same run of the generator for all.
compare() {
	local id=$1 title=$2 unit=$3 value=$4 options=$5
	shift 5
	row "$id" "$title" "$unit" "$@"
	# shellcheck disable=SC2086 # options are words
	in_turn "$id" measure "$value" $options
}

MPPS='.all.received_pps / 1e6'
