# cmake -DIN=openapi.json -DOUT=openapi.cc -P embed.cmake: a text file as a C++ string.
# Without newlines and the spaces that begin a line, which only people need; no string of the file holds a newline.
file(READ ${IN} text)
string(REGEX REPLACE "\n *" "" text "${text}")
file(WRITE ${OUT} "#include \"api/http/openapi.h\"\n\nnamespace varve {\n\n"
  "std::string_view openapi_json() {\n  return R\"openapi(${text})openapi\";\n}\n\n}  // namespace varve\n")
