"""What the data sets' classes are called here, whatever the files call them."""

from collections.abc import Sequence

from headstart.errors import InputError

_DIGITS = tuple("0123456789")
NAMES: dict[str, tuple[str, ...]] = {  # in the order of the codes; torchvision's order where it has the data set
    "cifar10": ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"),
    "fashion-mnist": (
        "T-shirt/top",
        "Trouser",
        "Pullover",
        "Dress",
        "Coat",
        "Sandal",
        "Shirt",
        "Sneaker",
        "Bag",
        "Ankle boot",
    ),
    "mnist": _DIGITS,
    "notmnist": tuple("ABCDEFGHIJ"),
    "sign-digits": _DIGITS,
    "sklearn/digits": _DIGITS,
    "trashnet": ("cardboard", "glass", "metal", "paper", "plastic", "trash"),
}
# the Grocery Store data set's own coarse classes, where they hold several fine ones or have another name
GROCERIES = {
    "Apple": "Golden-Delicious Granny-Smith Pink-Lady Red-Delicious Royal-Gala",
    "Juice": "Bravo-Apple-Juice Bravo-Orange-Juice God-Morgon-Apple-Juice God-Morgon-Orange-Juice "
    "God-Morgon-Orange-Red-Grapefruit-Juice God-Morgon-Red-Grapefruit-Juice Tropicana-Apple-Juice "
    "Tropicana-Golden-Grapefruit Tropicana-Juice-Smooth Tropicana-Mandarin-Morning",
    "Melon": "Cantaloupe Galia-Melon Honeydew-Melon Watermelon",
    "Milk": "Arla-Ecological-Medium-Fat-Milk Arla-Lactose-Medium-Fat-Milk Arla-Medium-Fat-Milk Arla-Standard-Milk "
    "Garant-Ecological-Medium-Fat-Milk Garant-Ecological-Standard-Milk",
    "Mushroom": "Brown-Cap-Mushroom",
    "Oat-Milk": "Oatly-Oat-Milk",
    "Oatghurt": "Oatly-Natural-Oatghurt",
    "Onion": "Yellow-Onion",
    "Pear": "Anjou Conference Kaiser",
    "Pepper": "Green-Bell-Pepper Orange-Bell-Pepper Red-Bell-Pepper Yellow-Bell-Pepper",
    "Potato": "Floury-Potato Solid-Potato Sweet-Potato",
    "Sour-Cream": "Arla-Ecological-Sour-Cream Arla-Sour-Cream",
    "Soy-Milk": "Alpro-Fresh-Soy-Milk Alpro-Shelf-Soy-Milk",
    "Soyghurt": "Alpro-Blueberry-Soyghurt Alpro-Vanilla-Soyghurt",
    "Tomato": "Beef-Tomato Regular-Tomato Vine-Tomato",
    "Yoghurt": "Arla-Mild-Vanilla-Yoghurt Arla-Natural-Mild-Low-Fat-Yoghurt Arla-Natural-Yoghurt "
    "Valio-Vanilla-Yoghurt Yoggi-Strawberry-Yoghurt Yoggi-Vanilla-Yoghurt",
}


def names_of(data: str, classes: Sequence[str]) -> tuple[str, ...]:
    """The benchmark's name of each class of a data set, in the order of its codes.

    Raises:
        InputError: The data set has another number of classes than it is known to have.

    Example:
        >>> names_of("trashnet", ("0", "1", "2", "3", "4", "5"))[0]
        'cardboard'
        >>> names_of("grocery-store", ("Anjou", "Zucchini"))
        ('Pear', 'Zucchini')
    """
    if data == "grocery-store":
        coarse = {fine: name for name, members in GROCERIES.items() for fine in members.split()}
        return tuple(coarse.get(name, name) for name in classes)
    if len(classes) != len(NAMES[data]):
        raise InputError(
            f"{data} should have {len(NAMES[data])} classes ({', '.join(NAMES[data])}); the data given for it have "
            f"{len(classes)} ({', '.join(classes)})."
        )
    return NAMES[data]
