import auth.placed_yaml
import proxy.placed_yaml


def test_there_is_one_reader_of_yaml_with_places():
    assert {name: getattr(proxy.placed_yaml, name) for name in proxy.placed_yaml.__all__} == {
        name: getattr(auth.placed_yaml, name) for name in proxy.placed_yaml.__all__
    }
