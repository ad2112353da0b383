# Flags of the per-ISA files. Everything else in the program is built for the base CPU of the platform.
#
# isa/<level>/*.cc get that level's -m flags and nothing else; never -march, which would bring in instructions that the
# level's name does not say. On another platform, or with PINGTI_ISA_TABLES=OFF, only isa/scalar is compiled.

# No silent a*b+c -> fma: what is fused is written so, and a kernel's bits do not depend on the compiler's mood.
target_compile_options(pingti_kernels PRIVATE -ffp-contract=off)

function(pingti_add_isa level)
  file(GLOB files CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/src/kernels/isa/${level}/*.cc)
  if(PINGTI_ISA_TABLES AND CMAKE_SYSTEM_PROCESSOR MATCHES "^(x86_64|AMD64|amd64)$")
    set_source_files_properties(${files} PROPERTIES COMPILE_OPTIONS "${ARGN}")
  else()
    set_source_files_properties(${files} PROPERTIES HEADER_FILE_ONLY ON)
  endif()
endfunction()

# No exceptions: a cleanup table would export a symbol (GCC: DW.ref.__gxx_personality_v0), and kernels throw nothing.
set(avx2 -mavx2 -mfma -mf16c -fno-exceptions)
set(avx512 ${avx2} -mavx512f -mavx512bw -mavx512dq -mavx512vl -mavx512cd -mprefer-vector-width=512)
pingti_add_isa(avx2 ${avx2})
pingti_add_isa(avx_vnni ${avx2} -mavxvnni)
pingti_add_isa(avx512 ${avx512})
pingti_add_isa(avx512_vnni ${avx512} -mavx512vnni)
pingti_add_isa(avx512_bf16 ${avx512} -mavx512vnni -mavx512bf16)
pingti_add_isa(amx_bf16 ${avx512} -mavx512vnni -mavx512bf16 -mamx-tile -mamx-bf16)
if(PINGTI_ISA_TABLES AND CMAKE_SYSTEM_PROCESSOR MATCHES "^(x86_64|AMD64|amd64)$")
  set_source_files_properties(${CMAKE_SOURCE_DIR}/src/kernels/dispatch.cc PROPERTIES
    COMPILE_DEFINITIONS PINGTI_X86_TABLES)
endif()
