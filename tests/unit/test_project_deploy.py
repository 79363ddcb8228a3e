"""What deploy/ and contrib/ ship is well-formed: where the programs are there, by the programs themselves."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from importlib.resources import files
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from typer.main import get_command

from maskline import __version__
from maskline.cli.main import app
from maskline.settings import load_settings, unknown_variables

ROOT = Path(__file__).parents[2]
DEPLOY, UNITS = ROOT / "deploy", sorted((ROOT / "contrib/systemd").glob("*.service"))
NEEDED = {"MASKLINE_DB_PASSWORD": "secret", "MASKLINE_PUBLIC_IP": "203.0.113.5"}
"""What an operator puts beside compose.yaml."""


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    text = re.sub(
        r"\$\{(\w+):[-?][^}]*\}", lambda found: NEEDED.get(found[1], ""), (DEPLOY / "compose.yaml").read_text()
    )
    assert "${" not in text
    found: dict[str, Any] = yaml.safe_load(text)
    return found


def test_the_services_are_an_installation_of_two_engines(compose: dict[str, Any]) -> None:
    assert set(compose) - {"x-maskline", "x-settings", "x-engine", "x-health"} == {
        "name",
        "services",
        "networks",
        "volumes",
    }
    assert set(compose["services"]) == {
        "postgres", "migrate", "api", "deliver", "engine-1", "engine-2", "rtpengine", "kamailio"
    }  # fmt: skip
    for service in compose["services"].values():
        assert set(service) <= {
            "image", "build", "command", "restart", "environment", "volumes", "depends_on", "ports", "networks",
            "network_mode", "healthcheck", "stop_grace_period", "user", "ulimits",
        }  # fmt: skip


def test_the_file_is_one_by_the_specification(compose: dict[str, Any]) -> None:
    """The schema that the specification publishes, as check-jsonschema carries it (decision 0083)."""
    schema = json.loads((files("check_jsonschema.builtin_schemas") / "vendor/compose-spec.json").read_text())
    judge = jsonschema.validators.validator_for(schema)(schema)
    assert [error.message for error in judge.iter_errors(compose)] == []
    spoiled = compose | {"services": compose["services"] | {"api": {"stop_grace_perod": "60s"}}}
    assert not judge.is_valid(spoiled)


def test_the_pages_first_steps_are_those_of_the_file(compose: dict[str, Any]) -> None:
    """docs/howto/many-engines.md §6: what is asked for, where the address is put, what is typed."""
    section = (ROOT / "docs/howto/many-engines.md").read_text().split("## 6.")[1]
    given = set(re.findall(r"^(MASKLINE_\w+)=", section, re.M))
    text = (DEPLOY / "compose.yaml").read_text()
    assert given == set(re.findall(r"\$\{(\w+):\?", text)) == set(NEEDED)
    assert sorted(path.name for path in (DEPLOY / "compose").iterdir() if "203.0.113.5" in path.read_text()) == [
        "maskline-local.cfg", "rtpengine.conf"
    ]  # fmt: skip
    typed = re.findall(r"^docker compose -f (\S+) exec (\S+) maskline (.*)$", section, re.M)
    assert typed == [("deploy/compose.yaml", "api", "account create Acme")]
    for _, service, _ in typed:
        assert compose["services"][service]["command"] == ["api"]
    assert "cat > deploy/.env" in section, "beside the file, where it is looked for"


def test_nothing_is_open_to_others_but_what_carriers_reach(compose: dict[str, Any]) -> None:
    """The API for this host, Kamailio and rtpengine by the host's addresses; the database and engines for nobody."""
    ports = {name: one["ports"] for name, one in compose["services"].items() if "ports" in one}
    usual = load_settings({})
    assert ports == {"api": [f"127.0.0.1:{usual.http_port}:{usual.http_port}"]}
    host = {name for name, one in compose["services"].items() if one.get("network_mode") == "host"}
    assert host == {"kamailio", "rtpengine"}
    (network,) = compose["networks"]["inside"]["ipam"]["config"]
    engine = compose["services"]["engine-1"]["environment"]
    relay, front = engine["MASKLINE_RTPENGINE"], engine["MASKLINE_SIP_FRONT"]
    assert {relay.split(":")[0], front.split(":")[0]} == {network["gateway"]}
    rtpengine = (DEPLOY / "compose/rtpengine.conf").read_text()
    listens = re.findall(r"^listen-(?:tcp-)?ng = (.*)$", rtpengine, re.M)
    assert listens == [relay, relay]
    assert f"\nrecording-dir = {engine['MASKLINE_RTPENGINE_RECORDINGS']}\n" in rtpengine


def test_whose_data_is_where_is_the_same_for_all(compose: dict[str, Any]) -> None:
    ours = {name: one for name, one in compose["services"].items() if one["image"].startswith("maskline:")}
    database = compose["services"]["postgres"]
    for service in ours.values():
        environment = service["environment"]
        folders = [volume.split(":")[1] for volume in service["volumes"]]
        assert any(environment["MASKLINE_KEY_FILE"].startswith(f"{folder}/") for folder in folders)
        assert any(environment["MASKLINE_DATA_DIR"].startswith(f"{folder}/") for folder in folders)
        user, password, host, name = re.fullmatch(
            r"postgresql://(\w+):(\w+)@([\d.]+)/(\w+)", environment["MASKLINE_DATABASE_URL"]
        ).groups()  # type: ignore[union-attr]
        assert host == database["networks"]["inside"]["ipv4_address"]
        made = {"POSTGRES_USER": user, "POSTGRES_PASSWORD": password, "POSTGRES_DB": name}
        assert made.items() <= database["environment"].items()
    assert len({str(one["environment"]["MASKLINE_DATABASE_URL"]) for one in ours.values()}) == 1


def test_a_stop_waits_for_calls_and_what_dies_is_started_again(compose: dict[str, Any]) -> None:
    """As the systemd units do: longer than a drain takes, and whatever died."""
    drains = load_settings({}).drain_timeout
    units = [
        float(re.findall(r"^TimeoutStopSec=(\d+)$", unit.read_text(), re.M)[0])
        for unit in UNITS
        if unit.name in ("maskline.service", "maskline-engine@.service")
    ]
    for name, service in compose["services"].items():
        if service["image"].startswith("maskline:"):
            (seconds,) = re.fullmatch(r"(\d+)s", service["stop_grace_period"]).groups()  # type: ignore[union-attr]
            assert float(seconds) >= max(units) > drains
            assert "init" not in service and "stop_signal" not in service, "SIGTERM, to our process itself"
            waited = {"migrate": {"condition": "service_completed_successfully"}}
            assert service["depends_on"] == (
                {"postgres": {"condition": "service_healthy"}} if name == "migrate" else waited
            )
        assert service["restart"] in (("no",) if name == "migrate" else ("always", "unless-stopped"))


def test_what_a_service_names_is_there(compose: dict[str, Any]) -> None:
    for service in compose["services"].values():
        assert set(service.get("depends_on", ())) <= set(compose["services"])
        assert set(service.get("networks", ())) <= set(compose["networks"])
        assert not (service.get("networks") and service.get("network_mode"))
        for volume in service.get("volumes", ()):
            source = volume.split(":")[0]
            assert (DEPLOY / source).exists() if source.startswith(".") else source in compose["volumes"]
        if build := service.get("build"):
            context = DEPLOY / build["context"]
            assert (context / build.get("dockerfile", "Dockerfile")).exists()


def test_versions_of_images_are_pinned(compose: dict[str, Any]) -> None:
    images = [service["image"] for service in compose["services"].values()]
    for file in DEPLOY.rglob("Dockerfile"):
        images += re.findall(r"^FROM (\S+)", file.read_text(), re.M)
    assert all(re.search(r":\d+\.\d+", image) for image in images), images


def test_ours_are_of_this_version_and_run_commands_that_there_are(compose: dict[str, Any]) -> None:
    ours = [service for service in compose["services"].values() if service["image"].startswith("maskline:")]
    assert {service["image"] for service in ours} == {f"maskline:{__version__}"}
    commands = set(get_command(app).commands)
    assert {word for service in ours for word in service["command"]} <= commands
    health = {str(service["healthcheck"]["test"]) for service in ours if "healthcheck" in service}
    usual = load_settings({})
    for port in (usual.http_port, usual.engine_http_port, usual.deliver_http_port):
        assert any(f":{port}/healthz" in test for test in health), port


@pytest.mark.skipif(shutil.which("dpkg-query") is None, reason="needs Debian")
def test_the_packages_of_images_are_those_that_are_tried_here() -> None:
    for file in ("kamailio/Dockerfile", "rtpengine/Dockerfile"):
        for package, version in re.findall(r" ([a-z-]+)=(\S+)", (DEPLOY / file).read_text()):
            told = subprocess.run(["dpkg-query", "-W", "-f=${Version}", package], capture_output=True, text=True)
            assert told.stdout in ("", version), package


def test_the_settings_of_each_service_are_known_and_right(compose: dict[str, Any]) -> None:
    ids = []
    for service in compose["services"].values():
        if not service["image"].startswith("maskline:"):
            continue
        assert unknown_variables(service["environment"]) == {}
        settings = load_settings({name: str(value or "") for name, value in service["environment"].items()})
        assert settings.database_file is None
        if service["command"] == ["engine"]:
            ids.append(settings.engine_id)
            (network,) = (network["subnet"] for network in compose["networks"]["inside"]["ipam"]["config"])
            address = service["networks"]["inside"]["ipv4_address"]
            assert settings.sip_hosts == (address,) and ip_address(address) in ip_network(network)
            assert f"sip:{address}:{settings.sip_port} 8 0 duid={settings.engine_id}\n" in engines("compose")
            assert f"sip:{address}:{settings.sip_port} 0 0 duid={settings.engine_id}\n" in engines("compose")
            assert settings.sip_front in (DEPLOY / "compose/maskline-local.cfg").read_text()
    assert ids == ["e1", "e2"]


def engines(folder: str) -> str:
    return (DEPLOY / folder / "engines.list").read_text()


@pytest.mark.parametrize("folder", ["kamailio", "compose"])
def test_each_engine_is_asked_in_one_set_and_known_in_the_other(folder: str) -> None:
    lines = [line.split() for line in engines(folder).splitlines() if line and not line.startswith("#")]
    assert [line[0] for line in lines] == ["1", "2"] * (len(lines) // 2)
    for asked, known in zip(lines[::2], lines[1::2], strict=True):
        assert asked[1] == known[1] and asked[4] == known[4]
        assert (asked[2], known[2]) == ("8", "0")


@pytest.mark.skipif(shutil.which("kamailio") is None, reason="needs Debian's kamailio")
@pytest.mark.parametrize("folder", ["kamailio", "compose"])
@pytest.mark.parametrize("tls", [False, True])
def test_kamailio_takes_the_configuration(folder: str, tls: bool, tmp_path: Path) -> None:
    shutil.copy(DEPLOY / "kamailio/kamailio.cfg", tmp_path)
    shutil.copy(DEPLOY / "kamailio/tls.cfg", tmp_path)
    local = (DEPLOY / folder / "maskline-local.cfg").read_text()
    for ours, there in (("engines.list", DEPLOY / folder / "engines.list"), ("tls.cfg", tmp_path / "tls.cfg")):
        assert f"/etc/kamailio/{ours}" in local
        local = local.replace(f"/etc/kamailio/{ours}", str(there))
    assert "\n##!define WITH_TLS\n" in local
    (tmp_path / "maskline-local.cfg").write_text(local.replace("\n##!define", "\n#!define") if tls else local)
    told = subprocess.run(
        ["kamailio", "-c", "-f", str(tmp_path / "kamailio.cfg"), "-Y", str(tmp_path)],
        capture_output=True, text=True, timeout=60, cwd=tmp_path,
    )  # fmt: skip
    assert told.returncode == 0 and "ERROR" not in told.stderr, told.stderr
    assert ("tls: " in told.stdout + told.stderr) == tls


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_a_killed_engine_leaves_its_relay_alone(unit: Path) -> None:
    """Any other mode kills every process of the unit once the main one is gone, and all calls fall silent."""
    text = unit.read_text()
    carries = re.search(r"^ExecStart=\S+ (serve|engine)$", text, re.M) is not None
    assert carries == (unit.name in {"maskline.service", "maskline-engine@.service"})
    assert re.findall(r"^KillMode=(.*)$", text, re.M) == ["process" if carries else "mixed"]
    assert re.findall(r"^Restart=(.*)$", text, re.M)[0] in {"always", "on-failure"}


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="needs systemd")
@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_systemd_takes_the_units(unit: Path, tmp_path: Path) -> None:
    text = unit.read_text()
    assert text.count("/opt/maskline/.venv/bin/maskline") == 1
    copy = tmp_path / unit.name
    copy.write_text(text.replace("/opt/maskline/.venv/bin/maskline", "/bin/true"))
    told = subprocess.run(["systemd-analyze", "verify", str(copy)], capture_output=True, text=True, timeout=60)
    assert (told.returncode, told.stderr) == (0, "")
