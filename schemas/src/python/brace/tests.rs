//! What a template is.

use super::*;

#[test]
fn fields_go_into_values_and_braces_may_be_doubled() {
    let template = Template::parse("{{{a[0][k].x!r:>{w}}}}").unwrap();
    let Part::Field(field) = &template.parts[1] else {
        panic!("{template:?}");
    };
    assert_eq!(field.path, ["0", "k", "x"]);
    assert_eq!(field.spec.width, Size::Field("w".to_owned()));
    assert_eq!(template.parts[0], Part::Literal("{".to_owned()));
    let template = Template::parse("{request[a:b!c]:>9}").unwrap();
    let Part::Field(field) = &template.parts[0] else {
        panic!("{template:?}");
    };
    assert_eq!(
        (field.path.as_slice(), field.spec.align),
        (&["a:b!c".to_owned()][..], Some('>'))
    );
    for bad in [
        "{", "}", "{a", "{}", "{a!x}", "{a:>>>}", "{a[}", "{a.}", "{a:.}", "{a!rx}",
    ] {
        assert!(Template::parse(bad).is_err(), "{bad}");
    }
}
