# What `cmake --install` puts under a prefix: the binary and its documents. setup/package.sh makes the packages of it.
if(NOT TARGET pingti)
  return()
endif()
# Where a package puts the libraries that it carries along.
set_target_properties(pingti PROPERTIES INSTALL_RPATH "$ORIGIN/../lib/pingti")
install(TARGETS pingti RUNTIME DESTINATION bin)
install(FILES README.md README.zh-CN.md CHANGELOG.md DESTINATION share/doc/pingti)
