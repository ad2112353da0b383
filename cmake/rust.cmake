# The Rust crate, built by cargo when anything in rust/ changed. The first cargo that is new enough: rustup's, or Debian's
# cargo-web; Debian's plain cargo is too old.
file(STRINGS ${CMAKE_SOURCE_DIR}/rust/Cargo.toml pingti_rust_wanted REGEX "^rust-version")
string(REGEX REPLACE ".*\"(.*)\"" "\\1" pingti_rust_wanted "${pingti_rust_wanted}")
function(pingti_cargo_is_new result program)
  execute_process(COMMAND ${program} --version OUTPUT_VARIABLE version ERROR_QUIET)
  string(REGEX MATCH "[0-9]+\\.[0-9.]+" version "${version}")
  if(NOT version OR version VERSION_LESS pingti_rust_wanted)
    set(${result} FALSE PARENT_SCOPE)
  endif()
endfunction()
find_program(PINGTI_CARGO cargo PATHS /usr/bin $ENV{HOME}/.cargo/bin VALIDATOR pingti_cargo_is_new)
if(NOT PINGTI_CARGO)
  message(FATAL_ERROR "wanted cargo ${pingti_rust_wanted} or newer, found none: install Debian's cargo-web or use rustup")
endif()
get_filename_component(pingti_cargo_folder ${PINGTI_CARGO} DIRECTORY) # its rustc stands beside it

# One folder for all presets: their flags mean nothing to cargo, whose lock parts builds that run at once. Each preset has a
# copy of its own, so that none links again because another was built.
set(pingti_rs_target ${CMAKE_SOURCE_DIR}/build/rust)
set(pingti_rs_library ${CMAKE_BINARY_DIR}/libpingti_rs.a)
file(GLOB_RECURSE pingti_rs_sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/rust/src/*.rs)
add_custom_command(
  OUTPUT ${pingti_rs_library}
  COMMAND ${CMAKE_COMMAND} -E env --modify PATH=path_list_prepend:${pingti_cargo_folder}
          CARGO_TARGET_DIR=${pingti_rs_target}
          ${PINGTI_CARGO} build --release --locked --quiet --manifest-path ${CMAKE_SOURCE_DIR}/rust/Cargo.toml
  COMMAND ${CMAKE_COMMAND} -E copy ${pingti_rs_target}/release/libpingti_rs.a ${pingti_rs_library}
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
