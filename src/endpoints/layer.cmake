# The console: every file of web/ becomes a constant of the binary.
file(GLOB console_files CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/web/*.html ${CMAKE_SOURCE_DIR}/web/*.css
     ${CMAKE_SOURCE_DIR}/web/*.js ${CMAKE_SOURCE_DIR}/web/*.svg)
set(console_source ${CMAKE_BINARY_DIR}/generated/console_files.cc)
string(REPLACE ";" "," console_list "${console_files}")
add_custom_command(
  OUTPUT ${console_source}
  COMMAND ${CMAKE_COMMAND} -DFILES=${console_list} -DOUTPUT=${console_source}
          -P ${CMAKE_SOURCE_DIR}/cmake/embed_files.cmake
  DEPENDS ${console_files} ${CMAKE_SOURCE_DIR}/cmake/embed_files.cmake
  COMMENT "Embedding the console" VERBATIM)
target_sources(pingti_endpoints PRIVATE ${console_source})
