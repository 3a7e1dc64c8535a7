# Lays the bundle out in a folder, moves it, and uses it there as a stranger: with an empty environment, only what is inside
# but glibc, a preset that lies nowhere else, and the demo data.
cmake_minimum_required(VERSION 3.25)
set(top ${BUILD}/bundle-check)
file(REMOVE_RECURSE ${top})
execute_process(COMMAND ${CMAKE_COMMAND} --install ${BUILD} --strip --prefix ${top}/first
                OUTPUT_QUIET COMMAND_ERROR_IS_FATAL ANY)
file(RENAME ${top}/first ${top}/moved)
set(bundle ${top}/moved)
file(ARCHIVE_CREATE OUTPUT ${top}/packed.tar.gz PATHS ${bundle} FORMAT gnutar COMPRESSION GZip)
file(SIZE ${top}/packed.tar.gz size)
if(size GREATER 60000000)
  message(FATAL_ERROR "the bundle packs to ${size} bytes, more than 60 MB")
endif()
file(COPY_FILE ${bundle}/share/sagcl/presets/hippocampus.toml ${bundle}/share/sagcl/presets/only-here.toml)

function(run expected)  # run(<text the output must have> <program> <arguments…>)
  execute_process(COMMAND env -i ${ARGN} OUTPUT_VARIABLE out ERROR_VARIABLE out RESULT_VARIABLE code)
  string(FIND "${out}" "${expected}" found)
  if(NOT code EQUAL 0 OR found EQUAL -1)
    message(FATAL_ERROR "${ARGN}\nexit code ${code}; expected '${expected}' in\n${out}")
  endif()
endfunction()

run(only-here ${bundle}/bin/sagcl-train --list-presets)
run("nothing was written" ${bundle}/bin/sagcl-train --preset only-here --data ${bundle}/data/hippocampus --device cpu
    --dry-run --labeled 2 --set network.width=2 --set train.batch=2)

# HDF5 comes from its plugin, which is loaded when a file needs it.
file(MAKE_DIRECTORY ${top}/la/one)
file(COPY_FILE ${SOURCE}/tests/datasets/golden/readers/volume.h5 ${top}/la/one/mri_norm2.h5)
run("0 errors" ${bundle}/bin/sagcl-data check ${top}/la --label-map cut:1)

# Every library comes from the bundle, but for glibc's.
file(GLOB programs ${bundle}/bin/sagcl-* ${bundle}/lib/libsagcl_hdf5.so)
foreach(program ${programs})
  execute_process(COMMAND env -i ldd ${program} OUTPUT_VARIABLE needed COMMAND_ERROR_IS_FATAL ANY)
  string(REGEX MATCHALL "[^\n\t]+ => [^\n]+" lines "${needed}")
  foreach(line ${lines})
    if(NOT line MATCHES "^lib(c|m|dl|rt|pthread)\\.so|^(libcud|libnv|libcublas|libcusolver)")
      string(FIND "${line}" "=> ${bundle}/" inside)
      string(FIND "${line}" "=> ${bundle}/bin/../lib/" beside)
      if(inside EQUAL -1 AND beside EQUAL -1)
        message(FATAL_ERROR "${program} takes a library from outside the bundle: ${line}")
      endif()
    endif()
  endforeach()
endforeach()
file(REMOVE_RECURSE ${top})
