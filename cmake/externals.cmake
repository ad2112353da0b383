# Libraries of others. Each folder of src/ gets the ones that it names here (pingti_external_links_<folder>), and no more.
find_package(Threads REQUIRED)
find_package(Boost 1.81 REQUIRED)
find_package(OpenSSL 3.0 REQUIRED)
find_package(fmt REQUIRED)
if(PINGTI_TESTS)
  find_package(GTest REQUIRED)
endif()

set(pingti_external_links_base Threads::Threads Boost::headers fmt::fmt)
set(pingti_external_links_formats OpenSSL::Crypto)
set(pingti_external_links_net OpenSSL::SSL OpenSSL::Crypto)
set(pingti_external_links_store OpenSSL::Crypto)
set(pingti_external_links_server OpenSSL::Crypto)
set(pingti_external_links_text pingti_rs)

include(cmake/rust.cmake)
