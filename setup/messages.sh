# Messages (English or Chinese, by the variables that the binary asks too: base/i18n.h) and progress lines; all on stderr.
case ${PINGTI_LANG:-${LC_ALL:-${LC_MESSAGES:-${LANG:-}}}} in zh*) language=zh ;; *) language=en ;; esac

# pick ENGLISH CHINESE: the one of this locale.
pick() { if [ "$language" = zh ]; then printf '%s' "$2"; else printf '%s' "$1"; fi; }

say() { printf '%s\n' "$(pick "$1" "$2")" >&2; }

# fail ENGLISH CHINESE: what happened, why, and what to do next; ends the script.
fail() {
  end_progress
  printf 'pingti: %s\n' "$(pick "$1" "$2")" >&2
  exit 1
}

# progress TEXT: on a terminal one line that rewrites itself; else a line now and then.
progress_open=
progress_said=0
progress() {
  if [ -t 2 ]; then
    printf '\r\033[K  %s' "$1" >&2
    progress_open=yes
  else
    now=$(date +%s)
    if [ $((now - progress_said)) -ge 10 ]; then
      printf '  %s\n' "$1" >&2
      progress_said=$now
    fi
  fi
}
end_progress() {
  if [ -n "$progress_open" ]; then printf '\r\033[K' >&2; fi
  progress_open=
  progress_said=0
}

# time_left DONE ALL SECONDS_SO_FAR: "1:05" by the pace so far; nothing before there is a pace.
time_left() {
  if [ "$1" -le 0 ] || [ "$3" -le 1 ]; then return; fi
  seconds=$((($2 - $1) * $3 / $1))
  printf '%d:%02d' $((seconds / 60)) $((seconds % 60))
}

# with_time_left TEXT LEFT: the text, and the time left when there is one.
with_time_left() {
  if [ -n "$2" ]; then pick "$1, about $2 left" "$1，约剩 $2"; else printf '%s' "$1"; fi
}

# log_tail FILE: the end of a log for an error message, addresses of package mirrors taken out.
log_tail() {
  tail -n 12 "$1" 2>/dev/null | sed -E -e 's#[a-z+]+://[^ ]*#(address)#g' -e "s#'[A-Za-z0-9.-]+\.[a-z]+'#(address)#g" \
    -e 's#[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)*\.(org|com|net|io|cn|dev)([:/][^ ]*)?#(address)#g' -e 's/^/    /'
}

# Help before there is a binary to ask.
print_usage() {
  if [ "$language" = zh ]; then
    cat <<'TEXT'
用法：./pingti 命令 [参数]      首次运行会安装缺少的软件包、构建并下载默认模型
  serve             在 127.0.0.1:8080 启动服务
  chat              终端对话
  run "提示词"       只回答一次，写到标准输出
  test [--full]     构建并运行全部测试
  package           在 dist/ 生成 .deb 与 .tar.gz
  setup             只准备与构建，不启动
构建之后，./pingti --help 给出程序本身的全部命令。
TEXT
  else
    cat <<'TEXT'
usage: ./pingti COMMAND [ARGUMENTS]      the first run installs what is missing, builds, and brings the default model
  serve             the server on 127.0.0.1:8080
  chat              a chat in the terminal
  run "prompt"      one answer on stdout
  test [--full]     build and run all tests
  package           .deb and .tar.gz under dist/
  setup             prepare and build only
Once it is built, ./pingti --help lists all commands of the program itself.
TEXT
  fi
}
