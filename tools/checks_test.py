#!/usr/bin/env python3
"""Each check catches a bad example and passes a good one."""
import shutil
import sys
import tempfile
import unittest
from pathlib import Path

import check_docs
import check_headers
import check_isa_objects
import check_layers
import check_sizes
import report_skips
import source


class NoExceptions:
    def covers(self, subject):
        return False


class Sizes(unittest.TestCase):
    def check(self, text, name="src/base/a.cc"):
        return check_sizes.check_file(name, text, NoExceptions())

    def test_a_long_function_is_found_wherever_it_hides(self):
        body = "  x();\n" * 71
        for head in (
            "void F() {",
            "Foo::Foo(int a) : a_{a}, b_(2) {",
            "TEST(Case, Name) {",
            "auto F() const -> Result<int> {",
            "template <typename T>\nT F(std::vector<int> v = {}) noexcept {",
        ):
            problems = self.check("namespace a {\nclass B {\n};\n" + head + "\n" + body + "}\n}  // namespace a\n")
            self.assertEqual(len(problems), 1, head)
        self.assertIn("TEST(Case,Name)", self.check("TEST(Case, Name) {\n" + body + "}\n")[0])
        self.assertEqual(len(self.check("class A {\n void F() {\n" + body + "}\n};\n", "src/a.h")), 1)

    def test_long_tables_classes_and_namespaces_are_no_functions(self):
        lines = "  1,\n" * 100
        self.assertEqual(self.check("constexpr int kTable[] = {\n" + lines + "};\n"), [])
        self.assertEqual(self.check("namespace {\nclass A {\n" + "  int F() { return '{'; }\n" * 100 + "};\n}\n"), [])
        self.assertEqual(self.check('const char* k = "{"; // {\nvoid F() {\n}\n' * 50), [])

    def test_long_files_and_python(self):
        self.assertEqual(len(self.check("\n" * 301, "src/a.h")), 1)
        self.assertEqual(len(self.check("\n" * 1001)), 1)
        self.assertEqual(len(self.check("def f():\n" + "    x = 1\n" * 71, "tools/a.py")), 1)


class Layers(unittest.TestCase):
    layers = {"base": set(), "ops": {"base"}, "models": {"base", "ops"}, "apps": {"models"}}

    def test_an_include_upwards_is_found(self):
        found = check_layers.check_includes("src/ops/a.cc", "ops", '#include "models/model.h"\n', self.layers)
        self.assertIn("ops may not include models/model.h", found[0])
        self.assertEqual(check_layers.check_includes("src/models/a.cc", "models", '#include "ops/a.h"\n', self.layers), [])
        self.assertEqual(check_layers.check_includes("src/ops/a.cc", "ops", '// #include "models/a.h"\n', self.layers), [])
        self.assertEqual(len(check_layers.check_includes("src/ops/a.cc", "ops", '#include "a.h"\n', self.layers)), 1)
        self.assertEqual(len(check_layers.check_includes("src/new/a.cc", "new", "", self.layers)), 1)

    def test_a_cycle_is_found(self):
        self.assertEqual(len(check_layers.check_order({"base": {"ops"}, "ops": {"base"}})), 1)

    def words(self, folder, text, name="a.cc"):
        return check_layers.check_words(f"src/{folder}/{name}", folder, text, None)

    def test_words_stay_at_home(self):
        for folder, text in (
            ("ops", "__m512 x;"),
            ("runtime", 'if (isa == "avx2") {}'),
            ("runtime", 'if (arch == "llama") {}'),
            ("formats", "MakeQwen2();"),
            ("server", "#include <sys/socket.h>\n"),
            ("server", "#include <boost/asio/ip/tcp.hpp>\n"),
            ("runtime", 'json["finish_reason"]'),
        ):
            self.assertEqual(len(self.words(folder, text)), 1, text)
        for folder, text in (
            ("kernels", "__m512 x;"),
            ("models", 'PINGTI_REGISTER_MODEL("llama")'),
            ("net", "#include <sys/socket.h>\n"),
            ("endpoints", 'json["finish_reason"]'),
            ("ops", "// the order of AVX-512"),
        ):
            self.assertEqual(self.words(folder, text), [], text)
        self.assertEqual(self.words("runtime", '"llama"', "a_test.cc"), [])


class Objects(unittest.TestCase):
    def test_only_fill_is_exported(self):
        good = "0000 T pingti::kernels::avx2::FillMatMul(pingti::kernels::MatMulKernels&)\n0010 t (anonymous namespace)::F()\n"
        self.assertEqual(check_isa_objects.check_symbols("a.o", good), [])
        for bad in (
            "0000 W std::vector<int>::push_back(int const&)",
            "0000 V vtable for X",
            "0000 u unique",
            "0000 T pingti::kernels::avx2::Dot(float const*)",
            "0000 D counter",
        ):
            self.assertEqual(len(check_isa_objects.check_symbols("a.o", good + bad)), 1, bad)


class Headers(unittest.TestCase):
    def test_first_include_and_flags(self):
        self.assertEqual(check_headers.first_include('// x\n#include "ops/a.h"\n#include <vector>\n'), "ops/a.h")
        entry = {"file": "/p/src/ops/a.cc", "command": "ccache /usr/bin/clang++-19 -I/p/src -O3 -o a.o -c /p/src/ops/a.cc"}
        self.assertEqual(check_headers.flags_by_folder([entry]), {"ops": ["/usr/bin/clang++-19", "-I/p/src", "-O3"]})

    def test_a_header_that_needs_another_is_found(self):
        with tempfile.TemporaryDirectory() as folder:
            (Path(folder) / "bad.h").write_text("#pragma once\nstd::string Name();\n")
            (Path(folder) / "good.h").write_text("#pragma once\n#include <string>\nstd::string Name();\n")
            compiler = [next(filter(shutil.which, ["clang++-19", "c++", "g++"])), "-I" + folder]
            self.assertIn("bad.h", check_headers.compile_alone(compiler, "bad.h"))
            self.assertIsNone(check_headers.compile_alone(compiler, "good.h"))


class Docs(unittest.TestCase):
    def test_a_path_that_is_gone_is_found(self):
        root = source.ROOT
        good = "`tools/layers.txt` `src/base/*.h` `base/status.h` `src/<folder>/` `setup/{apt,model}.txt` `a/b` [x](LICENSE)"
        self.assertEqual(check_docs.check_paths("README.md", good, root, {"tools", "src", "base", "setup"}), [])
        bad = "`tools/gone.txt` `base/gone.h` [x](gone.md)"
        self.assertEqual(len(check_docs.check_paths("README.md", bad, root, {"tools", "base"})), 3)

    def test_a_command_or_flag_that_is_gone_is_found(self):
        help_of = {"serve": "--model FILE\n --port N"}.get
        good = "```sh\n./pingti serve --port 1 # text\n./pingti test --full\n```\npingti gone"
        self.assertEqual(check_docs.check_commands("a.md", good, help_of), [])
        bad = "```sh\n./pingti serve --porter 1\n./pingti gone\n```"
        self.assertEqual(len(check_docs.check_commands("a.md", bad, help_of)), 2)


class Skips(unittest.TestCase):
    def test_both_kinds_are_read(self):
        with tempfile.TemporaryDirectory() as folder:
            gtest = Path(folder) / "gtest"
            gtest.mkdir()
            (gtest / "base_test.xml").write_text(
                '<testsuites><testsuite><testcase name="A" classname="S" result="skipped">'
                '<skipped message="a.cc:1&#x0A;PINGTI_DATA is not set&#x0A;"/></testcase>'
                '<testcase name="B" classname="S" result="completed"/></testsuite></testsuites>')
            self.assertEqual(list(report_skips.gtest_skips(gtest)), [("base_test.S.A", "PINGTI_DATA is not set")])
            junit = Path(folder) / "ctest.xml"
            junit.write_text(
                '<testsuite><testcase name="e2e.x" status="notrun"><skipped message="SKIP_RETURN_CODE=77"/>'
                "<system-out>SKIP: no browser\n</system-out></testcase>"
                '<testcase name="c" status="run"><system-out>SKIP js: no node\nok\n</system-out></testcase></testsuite>')
            self.assertEqual(list(report_skips.ctest_skips(junit)), [("e2e.x", "no browser"), ("c.js", "no node")])


class Text(unittest.TestCase):
    def test_comments_go_and_lines_stay(self):
        text = 'a; // "x\nb = "//"; /* c\n */ d(\'"\'); R"(//)" 1\'000\n'
        self.assertEqual(source.strip(text), 'a;  \nb = "//"; \n d(\'"\'); R"(//)" 1\'000\n')

    def test_an_exception_that_is_not_needed_is_a_problem(self):
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "exceptions.txt"
            path.write_text("# c\nsizes src/a.cc Foo: a table\nlayers b c: why\n")
            exceptions = source.Exceptions("sizes", path)
            self.assertFalse(exceptions.covers("src/b.cc Foo"))
            self.assertEqual(list(exceptions.unused), ["src/a.cc Foo"])
            self.assertTrue(exceptions.covers("src/a.cc Foo"))
            self.assertEqual(exceptions.unused, {})


if __name__ == "__main__":
    sys.dont_write_bytecode = True
    unittest.main()
