# Fused multiply-adds stand in the kernels of ops/cpu/isa and nowhere else: one in any other function would give it other
# bits on processors that have them. It looks at the compiled code, so that no file and no flag can be forgotten.
cmake_minimum_required(VERSION 3.25)
execute_process(COMMAND ${OBJDUMP} --disassemble --no-show-raw-insn ${LIBRARIES}
                COMMAND awk "/^[0-9a-f]+ <.*>:$/ { f = $2 }  /[ \t]v?fn?m(add|sub)|[ \t]fml[as]/ { ++n[f] }
                             END { for (f in n) print n[f], f }"
                OUTPUT_VARIABLE found ERROR_VARIABLE errors COMMAND_ERROR_IS_FATAL ANY)
string(REGEX MATCHALL "[^\n]+" lines "${found}")
set(kernels ${lines})
list(FILTER kernels INCLUDE REGEX "3ops3cpu(8baseline|4avx2|6avx512)")
list(FILTER lines EXCLUDE REGEX "3ops3cpu(8baseline|4avx2|6avx512)")
list(LENGTH kernels count)
message(STATUS "${count} functions of ops/cpu/isa have fused multiply-adds")
if(count EQUAL 0)
  message(FATAL_ERROR "no function has fused multiply-adds, not even the kernels: this check sees nothing. ${errors}")
endif()
if(lines)
  list(JOIN lines "\n  " text)
  message(FATAL_ERROR "fused multiply-adds outside ops/cpu/isa, each function with their number:\n  ${text}")
endif()
