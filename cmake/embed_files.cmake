# cmake -DFILES=a,b,c -DOUTPUT=x.cc -P embed_files.cmake: writes the files as constants (endpoints/console_files.h).
set(types_html "text/html; charset=utf-8")
set(types_css "text/css; charset=utf-8")
set(types_js "text/javascript; charset=utf-8")
set(types_svg "image/svg+xml")

string(REPLACE "," ";" files "${FILES}")
set(constants "")
set(entries "")
set(number 0)
foreach(file IN LISTS files)
  get_filename_component(name ${file} NAME)
  get_filename_component(extension ${file} LAST_EXT)
  string(SUBSTRING ${extension} 1 -1 extension)
  file(READ ${file} hex HEX)
  file(SHA256 ${file} sum)
  string(SUBSTRING ${sum} 0 16 sum)
  string(REGEX REPLACE "(..)" "0x\\1," bytes "${hex}")
  string(APPEND constants "constexpr unsigned char kFile${number}[] = {${bytes}};\n")
  set(paths "/${name}")
  if(name STREQUAL "index.html")
    list(APPEND paths "/")
  endif()
  foreach(path IN LISTS paths)
    string(APPEND entries "    {\"${path}\", \"${types_${extension}}\", Text(kFile${number}), \"\\\"${sum}\\\"\"},\n")
  endforeach()
  math(EXPR number "${number} + 1")
endforeach()
file(WRITE ${OUTPUT}.new "// Made by cmake/embed_files.cmake from web/.
#include \"endpoints/console_files.h\"

#include <cstddef>

namespace pingti::endpoints {
namespace {

template <size_t kSize>
std::string_view Text(const unsigned char (&bytes)[kSize]) {
  return {reinterpret_cast<const char*>(bytes), kSize};
}

${constants}
}  // namespace

std::span<const EmbeddedFile> ConsoleFiles() {
  static const EmbeddedFile kFiles[] = {
${entries}  };
  return kFiles;
}

}  // namespace pingti::endpoints
")
file(RENAME ${OUTPUT}.new ${OUTPUT})
