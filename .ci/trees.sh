#!/usr/bin/env bash
# What the programs are linked from: one TLS stack, one HTTP stack, one JSON library, and nothing of the sandbox in `lambda`.
# A line per failed expectation, and last `trees: N passed, M failed`.
set -euo pipefail
cd "$(dirname "$0")/.."

# Each exactly once, in one version.
ONE=(rustls hyper http http-body reqwest serde_json)
# Second stacks, under any version.
NONE=(openssl openssl-sys native-tls aws-lc-rs aws-lc-sys hyper-tls h2 simd-json ureq isahc curl)
# Only for a laptop.
LAPTOP=(clap aws-config defender-sandbox)

passed=0 failed=0
expect() { # what found expected
    if [[ $2 == "$3" ]]; then passed=$((passed + 1)); else failed=$((failed + 1)); echo "$1: ${2:-none}, expected ${3:-none}"; fi
}
# Every package that is linked, a line each: NAME vVERSION.
linked() { cargo tree --locked --package defender-enrich --edges normal --prefix none --format '{p}' "$@" | awk '{print $1, $2}' | sort -u; }
# The versions of one package among them.
versions() { awk -v name="$1" '$1 == name {print $2}' <<<"$2" | paste -sd' '; }

for target in x86_64-unknown-linux-gnu aarch64-unknown-linux-gnu; do
    for program in defender-enrich lambda; do
        [[ $program == lambda ]] && features=(--no-default-features) || features=(--all-features)
        all=$(linked --target "$target" "${features[@]}")
        for name in "${ONE[@]}"; do
            expect "$program on $target: versions of $name" "$(versions "$name" "$all" | wc -w)" 1
        done
        for name in "${NONE[@]}"; do
            expect "$program on $target: $name" "$(versions "$name" "$all")" ""
        done
        for name in "${LAPTOP[@]}"; do
            [[ $program == lambda ]] && expected=0 || expected=1
            expect "$program on $target: versions of $name" "$(versions "$name" "$all" | wc -w)" $expected
        done
    done
    # The same, as cargo itself tells duplicates.
    duplicates=$(cargo tree --locked --duplicates --edges normal --depth 0 --prefix none --format '{p}' --target "$target" --package defender-enrich --all-features | awk '{print $1}' | sort -u)
    expect "duplicates on $target among ${ONE[*]}" "$(grep -Fx -f <(printf '%s\n' "${ONE[@]}") <<<"$duplicates" | paste -sd' ' || true)" ""
done

# cargo-lambda, and so SAM, builds `lambda` with the features that were looked at above.
expect "[workspace.metadata.lambda.build] packages, no_default_features and disable_optimizations" "$(cargo metadata --locked --no-deps --format-version 1 | python3 -c '
import json, sys
build = json.load(sys.stdin)["metadata"]["lambda"]["build"]
print(build.get("packages"), build.get("no_default_features"), build.get("disable_optimizations"))')" "['defender-enrich'] True True"

echo "trees: $passed passed, $failed failed"
[[ $failed == 0 ]]
