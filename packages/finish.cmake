# CPack runs this when the files of a package stand in their places below a directory of its own, and
# before it packs them.
if(CPACK_GENERATOR STREQUAL DEB)
  # zsh of Debian looks for the functions of packages in a directory of another name.
  file(GLOB functions ${CPACK_TEMPORARY_DIRECTORY}/*/usr/share/zsh/site-functions)
  foreach(directory ${functions})
    get_filename_component(parent ${directory} DIRECTORY)
    file(RENAME ${directory} ${parent}/vendor-completions)
  endforeach()
else()
  # The libraries that the programs need, but for those of the C library, which belong to the system:
  # the programs look for them here first.
  file(GLOB programs ${CPACK_TEMPORARY_INSTALL_DIRECTORY}/bin/ktstr-*)
  file(GET_RUNTIME_DEPENDENCIES EXECUTABLES ${programs} LIBRARIES ${CPACK_KTSTR_LOADED_LIBRARIES}
    RESOLVED_DEPENDENCIES_VAR libraries
    PRE_EXCLUDE_REGEXES "^lib(c|m|dl|rt|pthread|resolv)\\.so\\." "^ld-linux")
  # Those that are loaded when they are needed are called by their SONAME, to which a link leads.
  foreach(library ${CPACK_KTSTR_LOADED_LIBRARIES})
    get_filename_component(real ${library} REALPATH)
    file(GLOB names ${real} ${library}.*)
    list(APPEND libraries ${names})
  endforeach()
  foreach(library ${libraries})
    file(COPY ${library} DESTINATION ${CPACK_TEMPORARY_INSTALL_DIRECTORY}/lib/ktstr
      FOLLOW_SYMLINK_CHAIN)
  endforeach()
endif()
