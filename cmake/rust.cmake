# The Rust crate, built by cargo when anything in rust/ changed. cargo >= 1.87: rustup's, or Debian's cargo-web.
find_program(PINGTI_CARGO cargo REQUIRED)
set(pingti_rs_target ${CMAKE_BINARY_DIR}/rust)
set(pingti_rs_library ${pingti_rs_target}/release/libpingti_rs.a)
file(GLOB_RECURSE pingti_rs_sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/rust/src/*.rs)
add_custom_command(
  OUTPUT ${pingti_rs_library}
  COMMAND ${CMAKE_COMMAND} -E env CARGO_TARGET_DIR=${pingti_rs_target}
          ${PINGTI_CARGO} build --release --locked --quiet --manifest-path ${CMAKE_SOURCE_DIR}/rust/Cargo.toml
  # cargo leaves a library alone that has not changed; without this it would be tried at every build.
  COMMAND ${CMAKE_COMMAND} -E touch ${pingti_rs_library}
  DEPENDS ${pingti_rs_sources} ${CMAKE_SOURCE_DIR}/rust/Cargo.toml ${CMAKE_SOURCE_DIR}/rust/Cargo.lock
  COMMENT "Building the Rust crate (a minute, once)"
  VERBATIM)
add_custom_target(pingti_rs_build DEPENDS ${pingti_rs_library})
add_library(pingti_rs STATIC IMPORTED GLOBAL)
set_target_properties(pingti_rs PROPERTIES
  IMPORTED_LOCATION ${pingti_rs_library}
  INTERFACE_INCLUDE_DIRECTORIES ${CMAKE_SOURCE_DIR}/rust/include
  INTERFACE_LINK_LIBRARIES "Threads::Threads;${CMAKE_DL_LIBS};m")
add_dependencies(pingti_rs pingti_rs_build)
