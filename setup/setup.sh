# ./pingti setup: everything that ./pingti serve does before it starts the server.
main() {
  install_packages setup/apt.txt
  build_binary
  fetch_default_model
  say "ready: $root/pingti serve" "已就绪：$root/pingti serve"
}
