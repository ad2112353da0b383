# Configure and build with progress in sight.

# As many jobs as processors, but none without 1.5 GB of free memory.
build_jobs() {
  jobs=$(nproc 2>/dev/null || echo 2)
  room=$(awk '/^MemAvailable:/ { print int($2 / 1500000) }' /proc/meminfo 2>/dev/null || echo "$jobs")
  if [ "$room" -lt "$jobs" ]; then jobs=$room; fi
  if [ "$jobs" -lt 1 ]; then jobs=1; fi
  echo "$jobs"
}

# configure PRESET [CMAKE OPTION...]. A build folder that was made elsewhere (a moved checkout) is made anew.
configure() {
  preset=$1
  shift
  folder=$root/build/$preset
  if [ -f "$folder/CMakeCache.txt" ] && ! grep -qxF "CMAKE_HOME_DIRECTORY:INTERNAL=$root" "$folder/CMakeCache.txt"; then
    rm -rf "$folder"
  fi
  log=$logs/configure-$preset.log
  progress "$(pick "configuring ($preset)" "配置（$preset）")"
  if ! (cd "$root" && cmake --preset "$preset" "$@") >"$log" 2>&1; then
    end_progress
    log_tail "$log" >&2
    fail "cmake could not configure the build (whole log: $log)" "cmake 配置失败（完整日志：$log）"
  fi
  end_progress
}

# ninja's "[done/all] ..." lines become progress; warnings and errors pass.
show_build_progress() {
  started=$(date +%s)
  while IFS= read -r line; do
    case $line in
      '['*/*']'*)
        count=${line%%]*}
        count=${count#\[}
        done=${count%/*}
        all=${count#*/}
        left=$(time_left "$done" "$all" $(($(date +%s) - started)))
        progress "$(with_time_left "$1 [$done/$all] $((done * 100 / all)) %" "$left")"
        ;;
      "ninja: no work to do.") ;;
      *)
        end_progress
        printf '%s\n' "$line" >&2
        ;;
    esac
  done
  end_progress
}

# build PRESET [TARGET...]
build() {
  preset=$1
  shift
  status_file=$logs/build-status
  started_at=$(date +%s)
  {
    status=0
    (cd "$root" && NINJA_STATUS='[%f/%t] ' cmake --build "build/$preset" -j "$(build_jobs)" ${1:+--target "$@"}) 2>&1 || status=$?
    echo $status >"$status_file"
  } | show_build_progress "$(pick "building ($preset)" "构建（$preset）")"
  if [ "$(cat "$status_file")" != 0 ]; then
    fail "the build failed: the compiler's messages are above. Run the same command again after a fix; what was built is kept" \
      "构建失败：编译器的信息见上。修正后重试同一命令即可，已构建的部分会保留"
  fi
  seconds=$(($(date +%s) - started_at))
  if [ $seconds -ge 5 ]; then
    say "built ($preset) in ${seconds} s" "构建完成（$preset），用时 ${seconds} 秒"
  fi
}

# build_release ON|OFF [TARGET...]: the preset with the product's binary, with tests or not. The stamp that makes the next
# start free carries the time *before* the build.
build_release() {
  tests=$1
  shift
  mkdir -p "$root/.deps"
  printf '%s\n' "$root" >"$root/.deps/stamp"
  configure release "-DPINGTI_TESTS=$tests"
  build release "$@"
  mv "$root/.deps/stamp" "$stamp"
}

# The product's binary alone, in a build folder as it is.
build_binary() {
  if grep -qs '^PINGTI_TESTS:BOOL=ON' "$root/build/release/CMakeCache.txt"; then
    build_release ON pingti
  else
    build_release OFF pingti
  fi
}
