# Tests in Python run with the packages that the set-up installed, where it did.
find_package(Python3 REQUIRED COMPONENTS Interpreter)
find_program(PINGTI_TEST_PYTHON python PATHS ${CMAKE_SOURCE_DIR}/.deps/venv/bin NO_DEFAULT_PATH NO_CACHE)
if(NOT PINGTI_TEST_PYTHON)
  set(PINGTI_TEST_PYTHON ${Python3_EXECUTABLE})
endif()

# pingti_add_python_test(name script arguments...): a test of the real binary, with tests/e2e/harness.py at hand. Exit code
# 77 is a skip whose reason it printed.
function(pingti_add_python_test name)
  add_test(NAME ${name} COMMAND ${PINGTI_TEST_PYTHON} ${ARGN})
  set_tests_properties(${name} PROPERTIES SKIP_RETURN_CODE 77 TIMEOUT 300
    ENVIRONMENT "PINGTI_BINARY=$<TARGET_FILE:pingti>;PYTHONDONTWRITEBYTECODE=1;PYTHONPATH=${CMAKE_SOURCE_DIR}/tests/e2e")
endfunction()
