"""What clustering leaves: which source was trusted, its groups, and the examples worth a look."""

from dataclasses import dataclass

from headstart.records.facts import Kind, ModelCard, Provenance
from headstart.records.failure import Failure, in_prose
from headstart.records.files import SavedRecord
from headstart.records.shown import Brief, Shown
from headstart.records.table import Prose, Table, View, table
from headstart.wording import MISSING, listing, plural, shortened_inside

ALONE = -1  # the group of an example that belongs to none


@dataclass(frozen=True)
class Index:
    """Agreement with labels, with its 95 % interval."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.value:.2f} ({self.low:.2f} to {self.high:.2f})"


@dataclass(frozen=True, repr=False)
class ClusteredSource(Brief):
    """One source's clusters, and what speaks for them without labels."""

    source: str
    k: int  # clusters
    stability: float  # adjusted Rand index between halves of the data, mean over splits; at most 1
    stability_sd: float  # its standard deviation over the splits
    chance: float  # the stability of the same features without structure
    above_chance: float  # stability minus chance, mean over the numbers of clusters that were considered
    agreement: float | None  # mean adjusted Rand index with the other sources' groups; None for a single source
    silhouette: float | None  # in [-1, 1]; favours features of few dimensions
    alone: int  # examples in no cluster (hdbscan)
    card: ModelCard
    rand: Index | None = None  # with the labels, where there are some: adjusted Rand index
    information: Index | None = None  # likewise normalised mutual information
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, repr=False)
class Cluster(Brief):
    """A group of alike examples."""

    number: int  # as in `Clustering.groups`
    size: int
    central: tuple[str, ...]  # ids of the examples nearest to its mean
    samples: tuple[str, ...]  # the same as thumbnails (data URIs) or texts; empty where they cannot be shown
    names: tuple[str, ...]  # source classes that its examples resemble more than others do


@dataclass(frozen=True, repr=False)
class Clustering(SavedRecord, Shown):
    """Groups of unlabelled examples in the features of the source that was chosen, and the sources' comparison."""

    FILE, MADE_BY = "clusters.json", "`headstart cluster --out FOLDER`"

    data: str
    kind: Kind
    n: int
    algorithm: str
    asked: str  # the number of clusters asked for, or "auto"
    select: str  # the criterion that chose the source
    rows: tuple[ClusteredSource, ...]  # best first
    clusters: tuple[Cluster, ...]  # of the first source, largest first
    ids: tuple[str, ...]
    groups: tuple[int, ...]  # the cluster of each example; -1 for none
    places: tuple[tuple[float, float], ...]  # of each example on a map of two dimensions
    map: str  # how the map was made
    duplicates: tuple[tuple[str, str], ...]  # pairs that look the same
    outliers: tuple[tuple[str, float], ...]  # examples unlike all others, with their local outlier factor
    failures: tuple[Failure, ...]
    skipped: dict[str, str]  # id of an unreadable example -> why
    provenance: Provenance
    notes: tuple[str, ...] = ()
    named_by: str = ""  # the source whose classes name the clusters
    pictures: bool = False  # the samples are thumbnails
    format: int = 1

    @property
    def best(self) -> str:
        """Name of the source whose clusters are shown."""
        return self.rows[0].source

    def view(self) -> View:
        """The sources, the clusters, and the sentences that belong to them."""
        head = f"{self.data}: {plural(self.n, 'example')} in {plural(self.rows[0].k, 'cluster')} of {self.best}"
        why = f"Sources are ordered by {EXPLAINED[self.select]}" if len(self.rows) > 1 else ""
        odd = [
            f"{plural(len(self.duplicates), 'pair')} of suspected duplicates: "
            f"{listing([f'{one} = {two}' for one, two in self.duplicates], 3)}."
            if self.duplicates
            else "",
            f"{plural(len(self.outliers), 'outlier')}: {listing([name for name, _ in self.outliers])}."
            if self.outliers
            else "",
        ]
        said = tuple(one for one in (why, *odd, *self.notes) if one)
        parts: list[Table | Prose] = [Prose(title=head), self.sources(), self.groups_table()]
        parts += [Prose(said)] if said else []
        return [*parts, *in_prose(self.failures)]

    def sources(self) -> Table:
        """One row per source: its clusters and the criteria; agreement with labels where there are some."""
        labelled = any(row.rand for row in self.rows)
        titles = ["source", "clusters", "stability", "by chance", "above", "agreement", "silhouette"]
        titles += ["Rand index with labels", "information"] if labelled else []
        return table(
            titles,
            [
                (
                    row.source,
                    str(row.k),
                    f"{row.stability:.2f} ± {row.stability_sd:.2f}",
                    f"{row.chance:.2f}",
                    f"{row.above_chance:.2f}",
                    MISSING if row.agreement is None else f"{row.agreement:.2f}",
                    MISSING if row.silhouette is None else f"{row.silhouette:.2f}",
                    *((str(row.rand), str(row.information)) if labelled else ()),
                )
                for row in self.rows
            ],
        )

    def groups_table(self) -> Table:
        """One row per cluster: size, what its examples resemble, and the most central ones."""
        return table(
            ["cluster", "size", "like", "most central"],
            [
                (str(one.number), str(one.size), listing(one.names, 3) or MISSING, shortened_inside(one.central[0], 32))
                for one in self.clusters
            ],
            words=4,
            lead=1,
        )

    def to_rows(self) -> list[dict[str, object]]:
        """One flat dictionary per example: id, cluster and place on the map."""
        return [
            {"id": name, "cluster": group, "x": x, "y": y}
            for name, group, (x, y) in zip(self.ids, self.groups, self.places, strict=True)
        ]


EXPLAINED = {
    "stability": "stability: how alike the clusters of two halves of the data are, above what the same features reach "
    "without structure (mean over several numbers of clusters).",
    "agreement": "agreement: how alike a source's clusters are to those of the other sources (1: the same).",
    "silhouette": "silhouette: how tight clusters are; it favours features of few dimensions.",
}
