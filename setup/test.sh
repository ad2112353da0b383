# ./pingti test [--full]: the test tools, the builds, ctest; then what was skipped and why; ctest's summary last.

# install_python_packages LIST: into .deps/venv, once for each state of the list.
install_python_packages() {
  list=$root/setup/$1
  wanted=$(cksum <"$list")
  if [ "$(cat "$venv/.$1" 2>/dev/null)" = "$wanted" ]; then return; fi
  progress "$(pick "Python packages of the tests ($1)" "测试所需的 Python 包（$1）")"
  if ! { [ -x "$venv/bin/pip" ] || python3 -m venv "$venv"; } >"$logs/pip.log" 2>&1 ||
    ! "$venv/bin/pip" install -q --disable-pip-version-check -r "$list" >>"$logs/pip.log" 2>&1; then
    log_tail "$logs/pip.log" >&2
    fail "pip could not install setup/$1 into .deps/venv (whole log: $logs/pip.log). Check the network or pip's index settings" \
      "pip 未能将 setup/$1 安装到 .deps/venv（完整日志：$logs/pip.log）。请检查网络或 pip 源"
  fi
  printf '%s\n' "$wanted" >"$venv/.$1"
  end_progress
}

# The official clients and oracles: Python packages in .deps/venv; the JavaScript client where there is an npm.
install_test_clients() {
  venv=$root/.deps/venv
  install_python_packages pypi-test.txt
  if [ -n "$full" ]; then
    install_python_packages pypi-full.txt
    (export CC=clang-19 CXX=clang++-19 CMAKE_ARGS=-DGGML_NATIVE=ON && install_python_packages pypi-peers.txt)
    fetch_vocabularies
  fi
  PATH=$PATH:$venv/bin # a node, where the machine has none
  clients=$root/tests/e2e/js
  if ! command -v npm >/dev/null 2>&1; then return; fi
  if [ ! -d "$clients/node_modules" ] || [ "$clients/package-lock.json" -nt "$clients/node_modules" ]; then
    progress "$(pick "JavaScript client of the tests" "测试所需的 JavaScript 客户端")"
    (cd "$clients" && npm ci --silent --no-audit --no-fund && touch node_modules) >"$logs/npm.log" 2>&1 ||
      rm -rf "$clients/node_modules"
    end_progress
  fi
}

# Real vocabularies and the ids that their own tokenizers give: they come with the peer's sources, into .deps/vocabularies.
fetch_vocabularies() {
  place=$root/.deps/vocabularies
  package=$(grep '^llama_cpp_python==' "$root/setup/pypi-peers.txt")
  if [ "$(cat "$place/.package" 2>/dev/null)" = "$package" ]; then return; fi
  progress "$(pick "vocabularies for the tests" "测试所需的词表")"
  mkdir -p "$place"
  if ! "$venv/bin/pip" download -q --disable-pip-version-check --no-deps --no-binary llama_cpp_python -d "$place" "$package" \
    >"$logs/vocabularies.log" 2>&1 ||
    ! tar -C "$place" -xzf "$place"/llama_cpp_python-*.tar.gz --strip-components=4 --wildcards '*/models/ggml-vocab-*' \
      >>"$logs/vocabularies.log" 2>&1; then
    log_tail "$logs/vocabularies.log" >&2
    fail "the vocabularies of $package could not be fetched (whole log: $logs/vocabularies.log)" \
      "无法获取 $package 中的词表（完整日志：$logs/vocabularies.log）"
  fi
  rm "$place"/llama_cpp_python-*.tar.gz
  printf '%s\n' "$package" >"$place/.package"
  end_progress
}

# Test sets that are not in the repository: the folder PINGTI_DATA, or ../shared/data where that is there.
name_data() {
  if [ -z "${PINGTI_DATA:-}" ] && [ -d "$root/../shared/data" ]; then PINGTI_DATA=$(cd "$root/../shared/data" && pwd); fi
  if [ -n "${PINGTI_DATA:-}" ]; then export PINGTI_DATA; fi
}

# Tests find real models in one folder: PINGTI_MODELS, or the cache with the default model alone.
name_models() {
  file=$(sed -n 's/^file=//p' "$root/setup/model.txt")
  if [ -z "${PINGTI_MODELS:-}" ]; then
    PINGTI_MODELS=$models
  elif [ ! -f "$PINGTI_MODELS/$file" ]; then
    both=$root/build/test-models
    rm -rf "$both"
    mkdir -p "$both"
    ln -s "$PINGTI_MODELS"/* "$models/$file" "$both"
    PINGTI_MODELS=$both
  fi
  export PINGTI_MODELS
}

# ctest's output passes; its summary ("... tests passed ..." and all after it) is kept in a file for the end.
hold_summary() {
  held=
  while IFS= read -r line; do
    case $line in *'tests passed'*) held=yes ;; esac
    if [ -n "$held" ]; then printf '%s\n' "$line" >>"$1"; else printf '%s\n' "$line"; fi
  done
}

# run_tests PRESET: ctest of one build; results for tools/report_skips.py. Returns ctest's status. Tests labelled "full"
# run under --full only.
run_tests() {
  folder=$root/build/$1
  results=$folder/results
  rm -rf "$results"
  mkdir -p "$results"
  {
    status=0
    (cd "$folder" && GTEST_OUTPUT="xml:$results/gtest/" PATH="$root/.deps/venv/bin:$PATH" ctest --output-on-failure -j2 \
      --output-junit "$results/ctest.xml" --test-output-size-passed 65536 $labels) || status=$?
    echo $status >"$results/status"
  } 2>&1 | hold_summary "$results/summary"
  return "$(cat "$results/status")"
}

# Builds of --full beside the release: sanitizers, no ISA tables, the other compiler.
run_other_presets() {
  for preset in asan tsan scalar gcc; do
    configure "$preset" -DPINGTI_TESTS=ON
    build "$preset"
    run_tests "$preset" || failed="$failed $preset"
    cat "$root/build/$preset/results/summary"
  done
}

main() {
  full= failed= labels="-LE full"
  case ${1:-} in
    '') ;;
    --full) full=yes labels= ;;
    *) fail "unknown option of ./pingti test: $1 (there is --full)" "./pingti test 没有选项 $1（只有 --full）" ;;
  esac
  install_packages setup/apt.txt setup/apt-test.txt ${full:+setup/apt-full.txt}
  install_test_clients
  fetch_default_model
  name_data
  name_models
  build_release ON
  if [ -n "$full" ]; then
    run_other_presets
    export PINGTI_FUZZ_RUNS="${PINGTI_FUZZ_RUNS:-10000000}"
  fi
  run_tests release || failed="$failed release"
  set -- "$root/build/release/results"
  if [ -n "$full" ]; then set -- --allowed "$root/tests/allowed_skips.txt" "$@"; fi
  python3 "$root/tools/report_skips.py" "$@" || failed="$failed skips"
  if [ -n "$failed" ]; then printf 'failed:%s\n' "$failed"; fi
  cat "$root/build/release/results/summary"
  [ -z "$failed" ]
}
