"""The Python module ktstr on frozen machines of fixtures/states, held against ktstr-analyze."""

import collections
import concurrent.futures
import gc
import importlib.util
import os
import pickle
import shutil
import subprocess
import sys
import tempfile
import unittest
import warnings
from pathlib import Path

import ktstr
from ktstr import _library, _registers

STATES = Path(os.environ["KTSTR_STATE_DIR"])
SOURCE = Path(os.environ["KTSTR_SOURCE_DIR"])
STALL = STATES / "stall.kts"


def is_there(module):
    return importlib.util.find_spec(module) is not None


class MachineTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.machine = ktstr.open(STALL)

    @classmethod
    def tearDownClass(cls):
        cls.machine.close()

    def test_rows_have_their_columns_by_name_and_by_place(self):
        rows = self.machine.sql("SELECT pid, comm, NULL AS unknown FROM task WHERE pid = 44")
        self.assertEqual(rows.columns, ["pid", "comm", "unknown"])
        row = rows[0]
        self.assertEqual((row.pid, row["comm"], row[2]), (44, "spin-0", None))
        self.assertEqual(row, (44, "spin-0", None))
        self.assertEqual(row._asdict(), {"pid": 44, "comm": "spin-0", "unknown": None})
        self.assertEqual(pickle.loads(pickle.dumps(row)).comm, "spin-0")
        with self.assertRaisesRegex(AttributeError, "no column 'cpu': there are pid, comm"):
            row.cpu
        with self.assertRaisesRegex(KeyError, "no column 'cpu'"):
            row["cpu"]

    def test_columns_that_hold_json_are_objects(self):
        evidence = self.machine.findings()[0].evidence
        self.assertIsInstance(evidence, (list, dict))

    def test_tables_are_whole(self):
        self.assertEqual(len(self.machine.tasks()), self.machine.sql("SELECT count(*) AS n FROM task")[0].n)
        self.assertEqual([cpu.cpu for cpu in self.machine.cpus()], [0, 1])
        self.assertEqual(self.machine.sql("SELECT pid FROM task WHERE 0"), [])

    def test_a_query_that_is_refused_says_why(self):
        with self.assertRaisesRegex(ktstr.QueryError, "no such column: nope") as refused:
            self.machine.sql("SELECT nope")
        self.assertEqual(refused.exception.exit_code, 2)

    def test_no_column_is_lost_behind_another_of_its_name(self):
        with self.assertRaisesRegex(ktstr.QueryError, "several columns are called 'pid'"):
            self.machine.sql("SELECT a.pid, b.pid FROM task a JOIN task b ON b.pid = a.ppid")

    def test_registers_are_those_of_the_table(self):
        for vcpu, row in zip(self.machine.vcpus(), self.machine.sql("SELECT * FROM vcpu"), strict=True):
            for name in "rip rsp rflags cr0 cr2 cr3 cr4 efer lstar kernel_gs_base".split():
                self.assertEqual(f"{getattr(vcpu, name):#018x}", row[name], name)
            self.assertEqual(f"{vcpu.gs.base:#018x}", row.gs_base)
            self.assertEqual(vcpu.in_user_mode, row.mode == "user")

    def test_registers_that_are_not_known_are_none_and_not_zero(self):
        struct = _library.VcpuStruct(cpu=1, rip=5, unknown=8 | 64)
        vcpu = _registers.Vcpu(struct)
        self.assertEqual((vcpu.rip, vcpu.cr3, vcpu.halted, vcpu.efer), (5, None, None, 0))
        self.assertEqual(vcpu.fs.base, 0)
        self.assertIn("cr3=None", repr(vcpu))
        struct.unknown = 1 | 2
        struct.cs.selector = 0x33
        vcpu = _registers.Vcpu(struct)
        self.assertTrue(vcpu.in_user_mode)
        self.assertEqual(vcpu.cs, (0x33, None, None, None))
        self.assertEqual((vcpu.fs.base, vcpu.gs.base, vcpu.tr, vcpu.gdt_base, vcpu.cr3), (0, None, None, None, 0))

    def test_memory_is_that_which_sql_reads(self):
        at = self.machine.symbol("init_task")
        word = self.machine.sql("SELECT read_u64(symbol_address('init_task')) AS word")[0].word
        self.assertEqual(int.from_bytes(self.machine.read(at, 8), "little"), int(word))
        self.assertEqual(self.machine.read_physical(self.machine.translate(at), 8), self.machine.read(at, 8))
        banner = self.machine.read(self.machine.symbol("linux_banner"), 64)
        self.assertTrue(banner.startswith(b"Linux version " + self.machine.release.encode()))
        # By a vCPU's own page tables, and over the border of a page.
        self.assertEqual(self.machine.read_of_vcpu(1, at, 9000), self.machine.read(at, 9000))

    def test_every_page_has_the_fate_of_the_table(self):
        counted = collections.Counter()
        for begin, end in self.machine.regions():
            for physical in range(begin, end, 4096):
                counted[self.machine.page(physical)] += 1
        table = collections.Counter()
        for row in self.machine.sql("SELECT fate, reason, pages FROM memory"):
            fate = "present" if row.fate == "duplicate" else row.fate
            table[(fate, row.reason or "")] += row.pages
        self.assertEqual(counted, table)

    def test_a_page_that_is_missing_is_named_and_is_not_zero(self):
        rip = self.machine.vcpus()[0].rip
        with self.assertRaisesRegex(ktstr.MissingPageError, "was not captured .user data."):
            self.machine.read_of_vcpu(0, rip, 8)
        missing = next(
            physical
            for begin, end in self.machine.regions()
            for physical in range(begin, end, 4096)
            if self.machine.page(physical).reason == "user data"
        )
        with self.assertRaises(ktstr.MissingPageError) as refused:
            self.machine.read_physical(missing - 8, 16) if self.machine.page(
                missing - 8
            ).fate in ("present", "zero") else self.machine.read_physical(missing, 16)
        error = refused.exception
        self.assertEqual((error.address, error.physical), (missing, missing))
        self.assertEqual((error.fate, error.reason), ("not captured", "user data"))
        with self.assertRaises(ktstr.MissingPageError) as refused:
            self.machine.read(self.machine.page_offset + missing, 8)
        self.assertEqual(refused.exception.physical, missing)

    def test_addresses_that_lead_nowhere_are_errors(self):
        with self.assertRaises(ktstr.UnmappedError) as refused:
            self.machine.read(0x10, 4)
        self.assertEqual(refused.exception.address, 0x10)
        with self.assertRaises(ktstr.MissingPageError):
            self.machine.read_physical(1 << 50, 1)
        with self.assertRaises(ktstr.Error):
            self.machine.read(0xFFFFFFFFFFFFFFFF, 16)
        with self.assertRaises(ValueError):
            self.machine.read(1 << 64, 1)
        with self.assertRaises(ktstr.NotFoundError):
            self.machine.read_of_vcpu(9, 0, 1)

    def test_symbols_are_found_both_ways(self):
        schedule = self.machine.symbol("schedule")
        self.assertEqual(self.machine.symbol_at(schedule + 3), ("schedule", 3))
        self.assertIsNone(self.machine.symbol_at(0x10))
        with self.assertRaisesRegex(ktstr.NotFoundError, "nope"):
            self.machine.symbol("nope")

    def test_threads_may_read_at_once(self):
        with ktstr.open(STALL) as machine, concurrent.futures.ThreadPoolExecutor(4) as pool:
            banners = pool.map(
                lambda _: machine.read(machine.symbol("linux_banner"), 64), range(200)
            )
            self.assertEqual(len(set(banners)), 1)

    def test_a_closed_machine_and_files_that_are_none_are_errors(self):
        machine = ktstr.open(STALL)
        machine.close()
        machine.close()
        with self.assertRaisesRegex(ktstr.Error, "is closed"):
            machine.read(0, 1)
        with self.assertRaises(ktstr.NotFoundError):
            ktstr.open(STATES / "nope.kts")
        with self.assertRaisesRegex(ktstr.DamagedError, "is not a .kts archive"):
            ktstr.open(__file__)
        with tempfile.TemporaryDirectory() as directory:
            broken = Path(directory) / "broken.kts"
            broken.write_bytes(STALL.read_bytes()[:-1000])
            with self.assertRaises(ktstr.DamagedError):
                ktstr.open(broken)

    def test_of_a_damaged_archive_what_is_left_is_given_where_that_is_accepted(self):
        good = STALL.read_bytes()
        with tempfile.TemporaryDirectory() as directory:
            broken = Path(directory) / "broken.kts"
            broken.write_bytes(good)
            found = {}
            # Metadata and registers stand somewhere behind the pages.
            for offset in range(len(good) - 16, 0, -64):
                damaged = bytes([good[offset] ^ 8])
                with open(broken, "r+b") as file:
                    file.seek(offset)
                    file.write(damaged)
                    file.flush()
                    try:
                        ktstr.open(broken)
                    except ktstr.DamagedError:
                        try:
                            machine = ktstr.open(broken, accept_damage=True)
                            found["metadata" if machine.vcpus() else "registers"] = offset
                        except ktstr.DamagedError:
                            pass
                    file.seek(offset)
                    file.write(good[offset : offset + 1])
                if len(found) == 2:
                    break

            def break_at(offset):
                broken.write_bytes(good[:offset] + bytes([good[offset] ^ 8]) + good[offset + 1 :])

            break_at(found["registers"])
            # Else the index of the archive as it was may be there, which lacks nothing.
            os.environ["XDG_CACHE_HOME"], cache = directory, os.environ.get("XDG_CACHE_HOME")
            self.addCleanup(
                lambda: os.environ.pop("XDG_CACHE_HOME") if cache is None else os.environ.update(XDG_CACHE_HOME=cache)
            )
            with ktstr.open(broken, accept_damage=True) as machine:
                self.assertEqual(machine.read(machine.symbol("linux_banner"), 13), b"Linux version")
                rows = machine.sql("SELECT comm FROM task WHERE pid = 44")
                self.assertEqual(rows[0].comm, "spin-0")
                self.assertIn("may lack something", rows.notes)
            break_at(found["metadata"])
            with ktstr.open(broken, accept_damage=True) as machine:
                self.assertEqual(len(machine.vcpus()), 2)
                self.assertEqual(machine.sql("SELECT comm FROM task WHERE pid = 44")[0].comm, "spin-0")

    @unittest.skipUnless(is_there("pandas"), "pandas is not installed")
    def test_rows_become_a_frame(self):
        frame = self.machine.frame("SELECT pid, comm FROM task WHERE pid > 0")
        self.assertEqual(list(frame.columns), ["pid", "comm"])
        self.assertEqual(len(frame), len(self.machine.sql("SELECT 1 AS one FROM task WHERE pid > 0")))

    @unittest.skipUnless(is_there("drgn"), "drgn is not installed")
    def test_drgn_reads_the_kernel(self):
        program = ktstr.drgn_program(self.machine)
        banner = program.read(self.machine.symbol("linux_banner"), 64)
        self.assertEqual(banner, self.machine.read(self.machine.symbol("linux_banner"), 64))


class CorpusTest(unittest.TestCase):
    def setUp(self):
        self.directory = Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.directory)

    def test_iterates_over_a_corpus_and_asks_all_of_it(self):
        corpus = self.directory / "corpus"
        subprocess.run(
            [os.environ["KTSTR_ANALYZE"], "corpus", "add", corpus, STALL, STATES / "panic.kts"],
            check=True,
            stdout=subprocess.DEVNULL,
        )
        machines = {machine.entry.name: machine.digest for machine in ktstr.corpus(corpus)}
        self.assertEqual(machines["stall"], ktstr.open(STALL).digest)
        self.assertEqual(sorted(machines), ["panic", "stall"])
        self.assertEqual(len(ktstr.corpus(corpus)), 2)
        rows = ktstr.corpus(corpus).sql("SELECT archive, count(*) AS n FROM task GROUP BY 1")
        self.assertEqual([row.archive for row in rows], ["panic", "stall"])

    def test_an_archive_that_cannot_be_opened_is_left_out_where_damage_is_accepted(self):
        corpus = self.directory / "corpus"
        words = [os.environ["KTSTR_ANALYZE"], "corpus", "add", corpus, STALL, STATES / "panic.kts"]
        subprocess.run(words, check=True, stdout=subprocess.DEVNULL)
        digest = next(entry.digest for entry in ktstr.corpus(corpus).entries() if entry.name == "panic")
        os.truncate(corpus / "archives" / f"{digest}.kts", 100)
        query = "SELECT DISTINCT archive FROM task"
        with self.assertRaisesRegex(ktstr.QueryError, "^panic: .*\n1 of 2 archives"):
            ktstr.corpus(corpus).sql(query)
        rows = ktstr.corpus(corpus, accept_damage=True).sql(query)
        self.assertEqual([row.archive for row in rows], ["stall"])
        self.assertRegex(rows.notes, "^panic: ")
        entries = ktstr.corpus(corpus).entries()
        self.assertEqual({entry.name: entry.trigger for entry in entries}["panic"], None)
        self.assertRegex(entries.notes, "^panic: ")

    def test_iterates_over_a_packed_corpus_and_leaves_nothing_behind(self):
        analyze, corpus, pack = os.environ["KTSTR_ANALYZE"], self.directory / "corpus", self.directory / "pack"
        for words in (["add", corpus, STALL, STATES / "panic.kts"], ["pack", corpus, pack]):
            subprocess.run([analyze, "corpus", *words], check=True, stdout=subprocess.DEVNULL)
        with ktstr.corpus(pack) as packed:
            place = packed.path
            self.assertEqual(len(packed), 2)
            digests = {machine.entry.name: machine.digest for machine in packed}
            self.assertEqual(digests, {m.entry.name: m.digest for m in ktstr.corpus(corpus)})
            rows = packed.sql("SELECT archive, count(*) AS n FROM task GROUP BY 1")
            self.assertEqual([row.archive for row in rows], ["panic", "stall"])
        self.assertFalse(place.exists())
        # A machine keeps it, however it was come by.
        with warnings.catch_warnings(record=True) as warned:
            warnings.simplefilter("always")
            machine = next(iter(ktstr.corpus(pack)))
            self.assertGreater(len(machine.tasks()), 40)
            place = Path(machine.path)
            del machine
            gc.collect()
        self.assertFalse(place.exists())
        self.assertEqual([str(warning.message) for warning in warned], [])
        pack.write_bytes(pack.read_bytes()[:-100])
        with self.assertRaisesRegex(ktstr.Error, "damaged|truncated|ends"):
            ktstr.corpus(pack)
        with self.assertRaisesRegex(ktstr.Error, "pack"):
            ktstr.corpus(__file__)

    def test_iterates_over_a_directory(self):
        names = [Path(machine.path).name for machine in ktstr.corpus(STATES)]
        self.assertEqual(names, sorted(path.name for path in STATES.glob("*.kts")))
        with self.assertRaises(ktstr.NotFoundError):
            ktstr.corpus(self.directory / "nope")


class ReadmeTest(unittest.TestCase):
    """Every line behind >>> of the README runs and answers as it says there."""

    def test_examples_answer_as_they_are_shown(self):
        import doctest

        directory = os.getcwd()
        os.chdir(STATES)
        self.addCleanup(os.chdir, directory)
        result = doctest.testfile(
            str(SOURCE / "analyze/python/README.md"),
            module_relative=False,
            optionflags=doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE,
        )
        self.assertEqual(result.failed, 0)
        self.assertGreaterEqual(result.attempted, 10)


@unittest.skipUnless(is_there("pip"), "pip is not installed")
class InstallationTest(unittest.TestCase):
    def test_pip_installs_it_from_a_checkout_without_a_network(self):
        with tempfile.TemporaryDirectory() as directory:
            target = Path(directory) / "target"
            subprocess.run(
                [sys.executable, "-m", "pip", "--quiet", "install", "--no-index"]
                + ["--no-cache-dir", "--target", target, SOURCE / "analyze/python"],
                check=True,
                stderr=subprocess.DEVNULL,
            )
            environment = dict(os.environ, PYTHONPATH=str(target))
            said = subprocess.run(
                [sys.executable, "-c", "import ktstr, sys\nprint(ktstr.__file__)\nprint(ktstr.open(sys.argv[1]).release)"]
                + [STALL],
                env=environment,
                cwd=directory,
                check=True,
                stdout=subprocess.PIPE,
                text=True,
            ).stdout.split("\n")
            self.assertTrue(said[0].startswith(str(target)), said[0])
            self.assertEqual(said[1], ktstr.open(STALL).release)


if __name__ == "__main__":
    unittest.main()
