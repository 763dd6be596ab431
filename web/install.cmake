# Runs `npm ci`, but only when the manifests differ from those of the last install: an unchanged checkout
# builds offline, also in a new build directory.  -DNPM=path -DSTAMP=file, from web/.
set(manifests "")
foreach(file package.json package-lock.json .npmrc)
  file(SHA256 ${file} hash)
  string(APPEND manifests "${hash}\n")
endforeach()

set(record node_modules/.varve-installed)
set(installed "")
if(EXISTS ${record})
  file(READ ${record} installed)
endif()
if(NOT installed STREQUAL manifests)
  execute_process(COMMAND ${NPM} ci --no-audit --no-fund --loglevel=error RESULT_VARIABLE failed)
  if(failed)
    message(FATAL_ERROR
      "npm ci failed in web/: the page's packages come from the npm registry; check the network")
  endif()
  file(WRITE ${record} "${manifests}")
endif()
file(TOUCH ${STAMP})
