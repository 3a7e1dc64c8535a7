# The version is that of the nearest tag, vX.Y.Z. Behind a tag its text also says how many commits and which one:
# "0.2.0-14-gc6d461e". Where git or its tags are not at hand (an archive of the sources), it is the number below.
set(SAGCL_VERSION 0.2.0)
set(SAGCL_VERSION_TEXT ${SAGCL_VERSION})
find_package(Git QUIET)
if(Git_FOUND AND EXISTS ${CMAKE_CURRENT_SOURCE_DIR}/.git)
  execute_process(COMMAND ${GIT_EXECUTABLE} describe --tags --match "v[0-9]*" WORKING_DIRECTORY ${CMAKE_CURRENT_SOURCE_DIR}
                  OUTPUT_VARIABLE described OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
  if(described MATCHES "^v([0-9]+\\.[0-9]+\\.[0-9]+)(.*)$")
    set(SAGCL_VERSION ${CMAKE_MATCH_1})
    set(SAGCL_VERSION_TEXT ${CMAKE_MATCH_1}${CMAKE_MATCH_2})
  endif()
  if(EXISTS ${CMAKE_CURRENT_SOURCE_DIR}/.git/logs/HEAD)  # configure again after a commit
    set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/.git/logs/HEAD)
  endif()
endif()
