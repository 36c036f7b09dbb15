"""Which company a vendor's customer probably is, with the evidence in words. Pure: nobody is asked."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

from rapidfuzz import fuzz

from shared.billing.counts import Customer
from shared.billing.lines import canonical

#: How sure each kind of evidence makes, in percent.
TENANT, REFERENCE, VERIFIED, DOMAIN, NAME, KNOWN_NAME, MAILS, LEGAL_FORM = 98, 96, 94, 90, 88, 85, 82, 80
#: Names that are alike say something from this ratio on, and at most so much.
_ALIKE, _MOST_ALIKE = 0.75, 70
#: What fits two companies, or is one of two customers that fit a company, is never accepted with many others.
DOUBTFUL = 50
#: Two fits are as good as each other within so many percent.
_CLOSE = 10
#: Contacts of more companies than these have addresses there: it is somebody's who works for many.
_MOST_COMPANIES = 3

_LEGAL_FORMS = {
    *(
        "ltd",
        "limited",
        "inc",
        "incorporated",
        "corp",
        "corporation",
        "co",
        "company",
        "llc",
        "llp",
        "lp",
        "plc",
        "the",
    ),
    *("gmbh", "ag", "kg", "ohg", "ug", "mbh", "se", "sa", "sas", "sarl", "srl", "spa", "bv", "nv", "ab", "as", "oy"),
    *("aps", "pty", "pte", "pvt", "kft", "sro", "the"),
}
#: Everybody may have an address there, so it names no company.
_SHARED_DOMAINS = {
    *("gmail.com", "googlemail.com", "outlook.com", "hotmail.com", "live.com", "yahoo.com", "icloud.com", "aol.com"),
    *(
        "msn.com",
        "me.com",
        "mac.com",
        "ymail.com",
        "rocketmail.com",
        "mail.com",
        "proton.me",
        "protonmail.com",
        "pm.me",
    ),
    *("fastmail.com", "zoho.com", "yandex.com", "mail.ru", "qq.com", "163.com", "onmicrosoft.com", "hotmail.co.uk"),
    *("outlook.de", "hotmail.de", "live.co.uk", "yahoo.co.uk", "yahoo.de", "yahoo.fr", "yahoo.com.au", "yahoo.ca"),
    *("gmx.de", "gmx.net", "gmx.at", "gmx.ch", "web.de", "t-online.de", "freenet.de", "bluewin.ch", "a1.net", "aon.at"),
    *("btinternet.com", "sky.com", "virginmedia.com", "talktalk.net", "ntlworld.com", "comcast.net", "verizon.net"),
    *("att.net", "sbcglobal.net", "bellsouth.net", "cox.net", "charter.net", "earthlink.net", "optonline.net"),
    *("shaw.ca", "rogers.com", "sympatico.ca", "telus.net", "bigpond.com", "bigpond.net.au", "optusnet.com.au"),
    *("xtra.co.nz", "orange.fr", "wanadoo.fr", "free.fr", "sfr.fr", "laposte.net", "libero.it", "ziggo.nl"),
    *("kpnmail.nl", "hotmail.nl", "hotmail.fr", "telenet.be", "skynet.be", "telia.com", "online.no"),
}


@dataclass(frozen=True, slots=True)
class Candidate:
    """A company that a customer may be.

    `domains` are those known of it, each with where from (`its website`), `mails` those of its contacts' addresses.
    `known_as` are names of customers that are linked to it already, with their sources; `tenants` and `references`
    what they say of themselves, likewise. `linked_at` are the sources at which it has a customer.
    """

    id: int
    name: str
    identifier: str = ""
    domains: tuple[tuple[str, str], ...] = ()
    known_as: tuple[tuple[str, str], ...] = ()
    linked_at: frozenset[str] = frozenset()
    mails: tuple[str, ...] = ()
    tenants: tuple[tuple[str, str], ...] = ()
    references: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Proposal:
    """That a customer is this company: how sure that is, 1 to 100 percent, and why."""

    customer: Customer
    company: int
    name: str
    confidence: int
    evidence: tuple[str, ...]


def propose(customers: Iterable[Customer], candidates: Iterable[Candidate]) -> list[Proposal]:
    """The best company for each customer for which anything speaks; the surest first, then by name.

    Where two companies fit about equally well, or two customers of one source fit one company, all of them are
    doubtful: confidence is at most `DOUBTFUL`. So is whom nothing but a number speaks for.
    """
    index = _Index(_with_own_mails(list(candidates)))
    found = [proposal for customer in customers if (proposal := _best(customer, index)) is not None]
    claims: dict[tuple[str, int], int] = {}
    for proposal in found:
        key = proposal.customer.source, proposal.company
        claims[key] = claims.get(key, 0) + 1
    judged = [_judged(proposal, index.by_id[proposal.company], claims) for proposal in found]
    return sorted(judged, key=lambda each: (-each.confidence, each.customer.name.casefold(), each.customer.id))


def with_tenants_domains(customers: Iterable[Customer], listed: Iterable[Customer]) -> list[Customer]:
    """The customers, each with the domains of its Microsoft 365 tenant, whichever source lists that."""
    known: dict[str, list[Customer]] = {}
    for each in listed:
        if each.tenant:
            known.setdefault(canonical(each.tenant), []).append(each)

    def completed(customer: Customer) -> Customer:
        same = known.get(canonical(customer.tenant), []) if customer.tenant else []
        verified = (*customer.verified, *(domain for each in same for domain in each.verified))
        domains = (*customer.domains, *(domain for each in same for domain in each.domains))
        return replace(customer, verified=tuple(dict.fromkeys(verified)), domains=tuple(dict.fromkeys(domains)))

    return [completed(customer) for customer in customers]


@lru_cache(maxsize=10_000)
def plain_name(name: str) -> str:
    """A name without case, accents and punctuation: `Aldér & Finch, Ltd.` gives `alder and finch ltd`."""
    decomposed = unicodedata.normalize("NFKD", name.replace("&", " and ").replace("+", " and "))
    letters = "".join(letter for letter in decomposed if not unicodedata.combining(letter))
    dotless = letters.casefold().replace(".", "").replace("'", "").replace("\u2019", "")
    return " ".join(re.sub(r"[^\w]+", " ", dotless).split())


@lru_cache(maxsize=10_000)
def core_name(name: str) -> str:
    """The plain name without its legal form; the whole where nothing else is in it."""
    words = plain_name(name).split()
    return " ".join(word for word in words if word not in _LEGAL_FORMS) or " ".join(words)


def plain_domain(text: str) -> str:
    """The domain of an address of a website or of mail, without `www`; empty for what is none or is shared by many."""
    host = text.strip().casefold().rpartition("@")[2].partition("://")
    domain = (host[2] or host[0]).partition("/")[0].partition(":")[0].strip(".").removeprefix("www.")
    return domain if "." in domain and domain not in _SHARED_DOMAINS and " " not in domain else ""


class _Index:
    """The candidates by what may lead to them, so that not every customer is compared with every company."""

    def __init__(self, candidates: Sequence[Candidate]) -> None:
        self.by_id = {candidate.id: candidate for candidate in candidates}
        self._ways: dict[str, set[int]] = {}
        for each in candidates:
            for way in self._leading_to(each):
                self._ways.setdefault(way, set()).add(each.id)

    def near(self, customer: Customer) -> list[Candidate]:
        """The candidates for which anything could speak."""
        ways = [f"ref {canonical(text)}" for text in (customer.reference, customer.id) if text]
        ways += [f"domain {plain_domain(domain)}" for domain in customer.known_domains if plain_domain(domain)]
        ways += [f"tenant {canonical(customer.tenant)}"] if customer.tenant else []
        ways += [f"word {word}" for word in _words(customer.name)]
        ways.append(f"name {core_name(customer.name)}")
        return [self.by_id[number] for number in sorted({one for way in ways for one in self._ways.get(way, ())})]

    @staticmethod
    def _leading_to(candidate: Candidate) -> Iterable[str]:
        yield f"ref {candidate.id}"
        if candidate.identifier:
            yield f"ref {canonical(candidate.identifier)}"
        for domain in (*(known for known, _ in candidate.domains), *candidate.mails):
            yield f"domain {domain}"
        yield from (f"tenant {canonical(tenant)}" for tenant, _ in candidate.tenants)
        yield from (f"ref {canonical(reference)}" for reference, _ in candidate.references)
        for name in (candidate.name, *(known for known, _ in candidate.known_as)):
            yield f"name {core_name(name)}"
            yield from (f"word {word}" for word in _words(name))


def _with_own_mails(candidates: Sequence[Candidate]) -> list[Candidate]:
    """The companies without mail domains that too many of them share."""
    shared = Counter(domain for each in candidates for domain in each.mails)
    return [
        replace(each, mails=tuple(domain for domain in each.mails if shared[domain] <= _MOST_COMPANIES))
        for each in candidates
    ]


def _words(name: str) -> list[str]:
    """Words that tell names apart."""
    return [word for word in core_name(name).split() if len(word) > 3]


def _best(customer: Customer, index: _Index) -> Proposal | None:
    fits = [(*_fit(customer, candidate), candidate) for candidate in index.near(customer)]
    fits = sorted((fit for fit in fits if fit[0]), key=lambda fit: (-fit[0], fit[2].id))
    if not fits:
        return None
    confidence, evidence, best = fits[0]
    rivals = [rival for other, _, rival in fits[1:] if other >= confidence - _CLOSE]
    if rivals:
        also = ", ".join(f"{rival.name} (company {rival.id})" for rival in rivals[:3])
        evidence, confidence = [*evidence, f"it fits {also} about as well"], min(confidence, DOUBTFUL)
    elif len(evidence) == 1 and _is_only_numbered(customer, best):
        evidence, confidence = [*evidence, "nothing else speaks for it, and other systems number too"], DOUBTFUL
    return Proposal(customer, best.id, best.name, confidence, tuple(evidence))


def _fit(customer: Customer, candidate: Candidate) -> tuple[int, list[str]]:
    """How sure the evidence makes when it is taken together, and what it is."""
    found = [
        *_by_tenant(customer, candidate),
        *_by_reference(customer, candidate),
        *_by_domain(customer, candidate),
        *_by_name(customer, candidate),
    ]
    doubt = 1.0
    for percent, _ in found:
        doubt *= 1 - percent / 100
    return int(100 * (1 - doubt)), [text for _, text in found]


def _by_tenant(customer: Customer, candidate: Candidate) -> Iterable[tuple[int, str]]:
    own = canonical(customer.tenant) if customer.tenant else None
    for tenant, source in candidate.tenants:
        if canonical(tenant) == own:
            yield TENANT, f"the same Microsoft 365 tenant as its customer at {source}"
            return


def _by_reference(customer: Customer, candidate: Candidate) -> Iterable[tuple[int, str]]:
    for text, what in ((customer.reference, "its reference there"), (customer.id, "its id there")):
        if text is customer.reference and _is_its_number(text, candidate):
            yield REFERENCE, f"{what} is {candidate.id}, the company's number"
            return
        if text and candidate.identifier and canonical(text) == canonical(candidate.identifier):
            yield REFERENCE, f"{what} is {candidate.identifier}, the company's identifier"
            return
    for reference, source in candidate.references:
        if customer.reference and canonical(reference) == canonical(customer.reference):
            yield REFERENCE, f"the same reference as its customer at {source}"
            return


def _is_its_number(reference: str | None, candidate: Candidate) -> bool:
    return reference is not None and canonical(reference) == str(candidate.id)


def _is_only_numbered(customer: Customer, candidate: Candidate) -> bool:
    """Whether the number is the company's, and no word of the names."""
    return _is_its_number(customer.reference, candidate) and not {*_words(customer.name)} & {*_words(candidate.name)}


def _by_domain(customer: Customer, candidate: Candidate) -> Iterable[tuple[int, str]]:
    """The strongest that the domains say; how many more are the same is said with it."""
    verified = {plain_domain(domain) for domain in customer.verified}
    own = {*verified, *(plain_domain(domain) for domain in customer.domains)} - {""}
    same = [(VERIFIED if at in verified else DOMAIN, at, origin) for at, origin in candidate.domains if at in own]
    same += [(MAILS, at, "mail addresses of its contacts") for at in candidate.mails if at in own]
    if same:
        percent, domain, origin = max(same, key=lambda way: way[0])
        also = len({at for _, at, _ in same}) - 1
        what = "same verified domain" if domain in verified else "same domain"
        yield percent, f"{what} {domain} ({origin})" + (f" and {also} more" if also else "")


def _by_name(customer: Customer, candidate: Candidate) -> Iterable[tuple[int, str]]:
    """The strongest that the names say."""
    if plain_name(customer.name) == plain_name(candidate.name):
        yield NAME, "same name"
    elif core_name(customer.name) == core_name(candidate.name):
        yield LEGAL_FORM, f"name differs by {_legal_difference(customer.name, candidate.name)} only"
    elif known := next((at for at in candidate.known_as if core_name(at[0]) == core_name(customer.name)), None):
        yield KNOWN_NAME, f"same name as its customer at {known[1]}"
    elif (ratio := _likeness(core_name(customer.name), core_name(candidate.name))) >= _ALIKE:
        yield int(_MOST_ALIKE * ratio), f"similar name ({ratio:.0%} alike)"


def _legal_difference(one: str, other: str) -> str:
    words = [word for word in plain_name(one).split() if word not in plain_name(other).split()]
    words += [word for word in plain_name(other).split() if word not in plain_name(one).split()]
    return " and ".join(word.capitalize() for word in words) or "its legal form"


def _likeness(one: str, other: str) -> float:
    """How much of both names is the same in the same order, 0 to 1; the words may stand in another order."""
    return max(fuzz.ratio(one, other), fuzz.token_sort_ratio(one, other)) / 100


def _judged(proposal: Proposal, company: Candidate, claims: Mapping[tuple[str, int], int]) -> Proposal:
    source = proposal.customer.source
    doubts = []
    if claims[source, proposal.company] > 1:
        doubts.append(f"another customer at {source} fits this company too")
    if source in company.linked_at:
        doubts.append(f"the company has a customer at {source} already")
    if not doubts:
        return proposal
    return replace(proposal, confidence=min(proposal.confidence, DOUBTFUL), evidence=(*proposal.evidence, *doubts))
