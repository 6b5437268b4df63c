// What programs use of fmt 9, compiled for them: its functions that are no templates, and those
// instances of its templates that its header declares to be elsewhere. The library of the system
// would be the only one in a program that needs the C++ library, which takes the dynamic linker
// longer than all others together: programs have both within them (KTSTR_OWN_RUNTIME).
//
// Where a program needs more of fmt than this, the system's library is linked after all, which
// tests/programs/libraries_test.cc notices.
#include <fmt/format-inl.h>

namespace fmt {
inline namespace v9 {
namespace detail {

template FMT_API dragonbox::decimal_fp<float> dragonbox::to_decimal(float) noexcept;
template FMT_API dragonbox::decimal_fp<double> dragonbox::to_decimal(double) noexcept;
template FMT_API locale_ref::locale_ref(const std::locale&);
template FMT_API std::locale locale_ref::get<std::locale>() const;
template FMT_API thousands_sep_result<char> thousands_sep_impl(locale_ref);
template FMT_API char decimal_point_impl(locale_ref);
template FMT_API void buffer<char>::append(const char*, const char*);
template FMT_API void vformat_to(buffer<char>&, string_view,
                                 basic_format_args<buffer_context<char>>, locale_ref);

}  // namespace detail
}  // namespace v9
}  // namespace fmt
